// Prints the pokes of an interest until it ends: swift run watch [DOMAIN] [FILTER]
import Foundation
import MulticastPoke

let arguments = CommandLine.arguments.dropFirst()
let interest = Interest(arguments.first ?? "PLAYLIST", arguments.dropFirst().first ?? "playlist-id")
let client = try PokeClient(ProcessInfo.processInfo.environment["POKE_URL"] ?? "http://127.0.0.1:8080")

do {
    for try await event in client.pokes(interest) {
        switch event {
        case .live: print("live")
        case .poke(let poke): print("poke", poke.data?.description ?? "undefined")
        case .gap: print("something was missed: reload")
        case .ended(let ended): print("ended", ended.data?.description ?? "undefined")
        case .rejected(let rejected): print("refused", rejected.reason, rejected.message)
        default: break
        }
    }
} catch {
    // No retry can help, for example because the server refuses the interest.
    try FileHandle.standardError.write(contentsOf: Data("\(error)\n".utf8))
    exit(1)
}
client.close()
