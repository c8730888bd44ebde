// Tells everyone who listens that there is no more: swift run end [DOMAIN] [FILTER] [TEXT]
import Foundation
import MulticastPoke

let arguments = Array(CommandLine.arguments.dropFirst()) + Array(repeating: "", count: 3)
let (domain, filter, text) = (arguments[0], arguments[1], arguments[2])
let client = try PokeClient(ProcessInfo.processInfo.environment["POKE_URL"] ?? "http://127.0.0.1:8080")

let position = try await client.end(
    domain.isEmpty ? "PLAYLIST" : domain, filter.isEmpty ? "playlist-id" : filter,
    data: text.isEmpty ? nil : .string(text))
print("ended", position)
client.close()
