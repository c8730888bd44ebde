// The Swift SDK for the interop runner: commands on standard input, answers and events on standard output. See
// interop/README.md, "The adapter".
import Foundation
import MulticastPoke

/// One command, as it comes. Fields that it doesn't have are nil.
struct Command: Decodable {
    /// What is asked for, and where it starts.
    struct Want: Decodable {
        var interest: Interest
        var latest: Bool?
        var position: Position?

        init(from decoder: any Decoder) throws {
            interest = try Interest(from: decoder)
            let values = try decoder.container(keyedBy: Key.self)
            latest = try values.decodeIfPresent(Bool.self, forKey: .latest)
            position = try values.decodeIfPresent(Position.self, forKey: .position)
        }

        enum Key: CodingKey { case latest, position }
    }

    var id: Int
    var command: String
    var client: String?
    var subscription: String?
    var url: String?
    var tokens: [String]?
    var interest: Want?
    var interests: [Want]?
    var domain: String?
    var filter: String?
    var data: Given?
    var special: String?
    var customerId: String?
    var idempotencyKey: String?
    var deadlineMs: Int?

    /// Data that is there: null isn't the same as nothing.
    struct Given: Decodable {
        var data: PokeData
        init(from decoder: any Decoder) throws { data = try PokeData(from: decoder) }
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        func value<T: Decodable>(_ key: Key, _ type: T.Type = T.self) throws -> T? {
            try values.decodeIfPresent(type, forKey: key)
        }
        id = try values.decode(Int.self, forKey: .id)
        command = try values.decode(String.self, forKey: .command)
        (client, subscription, url) = (try value(.client), try value(.subscription), try value(.url))
        (tokens, interest, interests) = (try value(.tokens), try value(.interest), try value(.interests))
        (domain, filter, special) = (try value(.domain), try value(.filter), try value(.special))
        (customerId, idempotencyKey, deadlineMs) = (try value(.customerId), try value(.idempotencyKey), try value(.deadlineMs))
        data = values.contains(.data) ? try values.decode(Given.self, forKey: .data) : nil
    }

    enum Key: CodingKey {
        case id, command, client, subscription, url, tokens, interest, interests, domain, filter, data, special, customerId
        case idempotencyKey, deadlineMs
    }
}

/// What a library can't do.
struct Unsupported: Error { var reason: String }

/// Gives the first token, then the next, and the last one from then on.
actor Provider {
    var tokens: [String]
    init(_ tokens: [String]) { self.tokens = tokens }
    func next() -> String { tokens.count > 1 ? tokens.removeFirst() : tokens[0] }
}

/// One subscription, and the task that reads its events.
final class Subscription: @unchecked Sendable {
    let client: String
    let pokes: Pokes
    private let lock = NSLock()
    private var isCancelled = false
    private var isPaused = false
    private var waiting: CheckedContinuation<Void, Never>?
    private var task: Task<Void, Never>?

    init(name: String, client: String, pokes: Pokes) {
        (self.client, self.pokes) = (client, pokes)
        task = Task { [weak self] in
            var last: [String: PokeData] = ["event": "over"]
            do {
                for try await event in pokes {
                    await self?.untilResumed()
                    self?.tell(name, told(event))
                }
            } catch { last = ["event": "failed", "error": described(error)] }
            self?.tell(name, last)
        }
    }

    /// Nothing of a cancelled one is told any more.
    private func tell(_ name: String, _ event: [String: PokeData]) {
        lock.withLock { if !isCancelled { write(["subscription": .string(name), "event": .object(event)]) } }
    }

    private func untilResumed() async {
        await withCheckedContinuation { continuation in
            lock.withLock { if isPaused && !isCancelled { waiting = continuation } else { continuation.resume() } }
        }
    }

    private func wake() {
        waiting?.resume()
        waiting = nil
    }

    func pause(_ paused: Bool) {
        lock.withLock {
            isPaused = paused
            if !paused { wake() }
        }
    }

    func cancel() {
        lock.withLock {
            isCancelled = true
            wake()
        }
        task?.cancel()
    }
}

let output = NSLock()

func write(_ line: PokeData) {
    output.withLock {
        let bytes = Data((line.description + "\n").utf8)
        FileHandle.standardOutput.write(bytes)
    }
}

func described(_ error: any Error) -> PokeData {
    var fields: [String: PokeData] = ["message": .string("\(error)")]
    if let error = error as? PokeError {
        fields["message"] = .string(error.message.isEmpty ? error.kind.rawValue : error.message)
        fields["code"] = error.code.map { .string($0) }
        fields["reason"] = error.reason.map { .string($0) }
        fields["httpStatus"] = error.httpStatus.map { .number(Double($0)) }
    }
    return .object(fields)
}

func told(_ position: Position) -> PokeData { ["epoch": .string(position.epoch), "sequence": .string("\(position.sequence)")] }

/// EPOCH_CHANGED of epochChanged.
func upperSnake(_ name: String) -> PokeData {
    .string(name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1)" : $1.uppercased() })
}

func milliseconds(_ duration: Duration) -> PokeData { .number((duration / .milliseconds(1)).rounded()) }

func told(_ event: PokeEvent) -> [String: PokeData] {
    var fields: [String: PokeData] = [:]
    if let interest = event.interest {
        (fields["domain"], fields["filter"]) = (.string(interest.domain), .string(interest.filter))
        if interest.audience == .customer { fields["audience"] = "AUDIENCE_CUSTOMER" }
    }
    switch event {
    case .poke(let poke):
        let time = Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(poke.publishTime)
        fields.merge(["event": "poke", "position": told(poke.position), "publishTime": .string(time)]) { $1 }
        fields["data"] = poke.data
    case .gap(let gap):
        fields.merge(["event": "gap", "reason": upperSnake(gap.reason.rawValue), "position": told(gap.position)]) { $1 }
        fields["missedCount"] = gap.missedCount.map { .number(Double($0)) }
        fields["reloadAfterMs"] = milliseconds(gap.reloadAfter)
    case .ended(let ended):
        fields.merge(["event": "ended", "position": told(ended.position)]) { $1 }
        fields["data"] = ended.data
    case .rejected(let rejected):
        fields.merge(
            [
                "event": "rejected", "code": .string(rejected.code), "reason": .string(rejected.reason),
                "message": .string(rejected.message), "final": .bool(rejected.isFinal),
            ]) { $1 }
    case .live(let live):
        fields.merge(["event": "live", "position": told(live.position), "outcome": upperSnake(live.outcome.rawValue)]) { $1 }
    case .connected(let connected): fields.merge(["event": "connected", "streamId": .string(connected.streamID)]) { $1 }
    case .reconnecting(let lost):
        fields.merge(["event": "reconnecting", "cause": .string("\(lost.cause)"), "delayMs": milliseconds(lost.delay)]) { $1 }
    }
    return fields
}

/// Everything that has a name. Commands that change it are done in the order in which they come.
actor Adapter {
    private var clients: [String: PokeClient] = [:]
    private var subscriptions: [String: Subscription] = [:]

    /// Sends, beside other commands; `nil` when the command is another.
    func sender(_ command: Command) throws -> (@Sendable () async throws -> PokeData)? {
        guard ["publish", "end"].contains(command.command) else { return nil }
        let client = try client(command)
        return {
            let (domain, filter) = (command.domain ?? "", command.filter ?? "")
            let deadline = command.deadlineMs.map { Duration.milliseconds($0) } ?? .seconds(10)
            let data = try special(command.special) ?? command.data?.data
            if command.command == "end" {
                let position = try await client.end(
                    domain, filter, data: data, customer: command.customerId, key: command.idempotencyKey, deadline: deadline)
                return ["position": told(position)]
            }
            let published = try await client.publish(
                domain, filter, data: data, customer: command.customerId, key: command.idempotencyKey, deadline: deadline)
            var answer: [String: PokeData] = ["position": told(published.position), "duplicate": .bool(published.isDuplicate)]
            answer["localReceiverCount"] = published.localReceiverCount.map { .number(Double($0)) }
            return .object(answer)
        }
    }

    func act(_ command: Command) throws -> PokeData {
        switch command.command {
        case "open":
            let (url, tokens) = (command.url ?? "", command.tokens ?? [])
            let provider = Provider(tokens)
            clients[command.client ?? ""] =
                tokens.count > 1
                ? try PokeClient(url) { await provider.next() } : try PokeClient(url, token: tokens.first)
        case "close":
            let name = command.client ?? ""
            for (key, held) in subscriptions where held.client == name {
                held.cancel()
                subscriptions[key] = nil
            }
            clients.removeValue(forKey: name)?.close()
        case "subscribe":
            let wants = command.interests ?? []
            let pokes = try client(command).pokes([])
            for want in wants { try pokes.add(want.interest, latest: want.latest ?? false, after: want.position) }
            let name = command.subscription ?? ""
            subscriptions[name] = Subscription(name: name, client: command.client ?? "", pokes: pokes)
        case "add":
            guard let want = command.interest else { throw Unsupported(reason: "no interest") }
            try subscription(command).pokes.add(want.interest, latest: want.latest ?? false, after: want.position)
        case "remove":
            guard let want = command.interest else { throw Unsupported(reason: "no interest") }
            try subscription(command).pokes.remove(want.interest)
        case "pause": try subscription(command).pause(true)
        case "resume": try subscription(command).pause(false)
        case "positions":
            let positions = try JSONEncoder().encode(subscription(command).pokes.positions)
            return ["positions": try PokeData(json: String(decoding: positions, as: UTF8.self))]
        case "cancel":
            try subscription(command).cancel()
            subscriptions[command.subscription ?? ""] = nil
        case "size": return ["bytes": .number(Double(try PokeData.encodedSize(command.data?.data)))]
        default: throw Unsupported(reason: "no such command")
        }
        return [:]
    }

    private func client(_ command: Command) throws -> PokeClient {
        guard let client = clients[command.client ?? ""] else { throw Unsupported(reason: "no such client") }
        return client
    }

    private func subscription(_ command: Command) throws -> Subscription {
        guard let held = subscriptions[command.subscription ?? ""] else { throw Unsupported(reason: "no such subscription") }
        return held
    }
}

/// A value that JSON can't carry.
func special(_ name: String?) throws -> PokeData? {
    switch name {
    case nil: nil
    case "nan": .number(.nan)
    case "infinity": .number(.infinity)
    case "unsafe_integer": try PokeData(encoding: Int64(9_007_199_254_740_993))
    default: throw Unsupported(reason: "a String holds no half of a surrogate pair")
    }
}

func answer(_ id: Int, _ work: () async throws -> PokeData) async {
    do {
        let result = try await work()
        write(["id": .number(Double(id)), "ok": result])
    } catch let error as Unsupported {
        write(["id": .number(Double(id)), "unsupported": .string(error.reason)])
    } catch {
        write(["id": .number(Double(id)), "error": described(error)])
    }
}

#if compiler(>=6.1)
    let compiler = "Swift 6.1 or later"
#else
    let compiler = "Swift 6.0"
#endif
let adapter = Adapter()
write(["ready": true, "version": .string("multicast-poke 0.1.0, \(compiler)")])
while let line = readLine() {
    let command: Command
    do { command = try JSONDecoder().decode(Command.self, from: Data(line.utf8)) } catch {
        // Data that the library refuses is an answer of the library.
        struct Named: Decodable { var id: Int }
        if let named = try? JSONDecoder().decode(Named.self, from: Data(line.utf8)) {
            write(["id": .number(Double(named.id)), "error": described(error)])
        }
        continue
    }
    do {
        if let send = try await adapter.sender(command) {
            // Not on the main actor, which waits in readLine.
            Task.detached { await answer(command.id, send) }
        } else {
            await answer(command.id) { try await adapter.act(command) }
        }
    } catch { await answer(command.id) { throw error } }
}
exit(0)
