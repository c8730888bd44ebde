// Goes on where an earlier run has stopped, whatever happened meanwhile: swift run reconnect [DOMAIN] [FILTER]
import Foundation
import MulticastPoke

let file = URL(fileURLWithPath: "positions.json")
let arguments = CommandLine.arguments.dropFirst()
let interest = Interest(arguments.first ?? "PLAYLIST", arguments.dropFirst().first ?? "playlist-id")
let client = try PokeClient(ProcessInfo.processInfo.environment["POKE_URL"] ?? "http://127.0.0.1:8080")
let saved = (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode([SavedPosition].self, from: $0) }

do {
    for try await event in client.pokes([interest], after: saved ?? []) {
        switch event {
        case .live(let live): print("live", live.outcome)
        case .poke(let poke): print("poke", poke.data?.description ?? "undefined")
        case .gap(let gap): print("missed", gap.reason, "reload in", gap.reloadAfter)
        case .reconnecting(let lost): print("reconnecting in", lost.delay)
        default: break
        }
        // What was handled isn't asked for again. Whoever stops this while it writes leaves the file as it was.
        try JSONEncoder().encode(client.positions).write(to: file, options: .atomic)
    }
} catch {
    // No retry can help, for example because the server refuses the interest.
    try FileHandle.standardError.write(contentsOf: Data("\(error)\n".utf8))
    exit(1)
}
client.close()
