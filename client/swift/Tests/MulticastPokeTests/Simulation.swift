import GRPCCore
import PokeV1
import Testing

@testable import MulticastPoke

// Never a silent loss: the state against a model of the server, with faults in any order.
//
// The model is the contract in its simplest form: one list of pokes, and calls that are queues of messages. Whatever happens, in
// the end the user has been handed each poke of a live interest once and in order, or a gap that covers it.

/// SplitMix64, so that a failure can be repeated by its seed.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// One call on the server's side.
private struct Serving {
    let epoch: Int
    /// How many interests it has said that it accepts.
    let limit: Int
    var interests: [Interest] = []
    var queue: [StreamEvent] = []
    /// The client has been asked to move.
    var isAnnounced = false
}

private struct Server {
    var epoch = 0
    var head: Int64 = 0
    /// The highest sequence that is no longer retained.
    var floor: Int64 = 0
    var retained: [(interest: Interest, sequence: Int64)] = []
    var refuses = false
    /// How many interests it accepts.
    var limit = 3
    var calls: [CallID: Serving] = [:]

    mutating func publish(_ interest: Interest) {
        head += 1
        retained.append((interest, head))
        for (id, call) in calls where call.epoch == epoch && call.interests.contains(interest) {
            calls[id]?.queue.append(poke(interest, head, epoch: "\(epoch)"))
        }
    }

    mutating func open(_ id: CallID, _ request: Poke_V1_SubscribeRequest) {
        var call = Serving(epoch: epoch, limit: limit)
        call.queue.append(welcome(maxInterests: limit))
        for subscription in request.subscriptions {
            let interest = Interest(subscription.interest)
            var (start, reason) = (head, PokeEvent.Gap.Reason?.none)
            if case .after(let after) = subscription.start {
                if after.epoch != "\(epoch)" || after.sequence > head {
                    (start, reason) = (floor, .epochChanged)
                } else if after.sequence < floor {
                    (start, reason) = (floor, .evicted)
                } else {
                    start = after.sequence
                }
            }
            call.queue.append(live(interest, start, reason == nil ? .recovered : .gap, epoch: "\(epoch)"))
            if let reason { call.queue.append(gap(interest, reason, start, epoch: "\(epoch)")) }
            for held in retained where held.interest == interest && held.sequence > start {
                call.queue.append(poke(interest, held.sequence, epoch: "\(epoch)"))
            }
            call.interests.append(interest)
        }
        calls[id] = call
    }

    mutating func restart() {
        self = Server(epoch: epoch + 1, refuses: refuses, limit: limit, calls: calls)
    }

    /// What `call` has not got of `interest` is dropped, and a gap says so.
    mutating func lag(_ id: CallID, _ interest: Interest) {
        guard var call = calls[id], call.epoch == epoch, call.interests.contains(interest) else { return }
        let isComing = call.queue.contains { if case .subscribed(let live) = $0 { live.interest == interest } else { false } }
        if isComing { return }
        // No checkpoint passes a hole.
        call.queue.removeAll {
            switch $0 {
            case .poke(let poke): poke.interest == interest
            case .heartbeat: true
            default: false
            }
        }
        call.queue.append(gap(interest, .lagged, head, epoch: "\(epoch)"))
        calls[id] = call
    }
}

/// What the user has been promised for an interest, and has been handed.
private struct Promise {
    /// Everything published after it was first live: epoch and sequence.
    var due: [(Int, Int64)] = []
    var isLive = false
}

private func interest(_ number: Int) -> Interest { Interest("D", "\(number)") }

private struct World {
    var state = State(buffer: 1000) { $0 / 2 }
    var now = second
    var server = Server()
    var promises: [Interest: Promise] = [:]
    var faults: [String] = []

    init() throws {
        state.join(1)
        for number in 0..<2 { try add(number) }
        act()
    }

    mutating func add(_ number: Int) throws {
        if promises[interest(number)] != nil { return }
        try state.add(now, 1, interest(number), start: .new)
        promises[interest(number)] = Promise()
    }

    mutating func step(_ random: inout Seeded) throws {
        let number = Int.random(in: 0..<3, using: &random)
        let ids = server.calls.keys.sorted()
        let id = number < ids.count ? ids[number] : nil
        switch Int.random(in: 0..<39, using: &random) {
        case 0..<6: publish(interest(number))
        case 6..<18: if let id { deliver(id) }
        case 18..<22: take()
        case 22..<26: wait()
        case 26..<28:
            if let id, let call = server.calls[id], call.epoch == server.epoch {
                server.calls[id]?.queue.append(.heartbeat(checkpoints: [at(server.head, epoch: "\(server.epoch)")]))
            }
        case 28..<30: if let id { server.calls[id]?.queue.append(reconnect(1, 1, 20)) }
        case 30..<32: if let id { breakCall(id) }
        case 32: if let id { server.lag(id, interest(Int.random(in: 0..<3, using: &random))) }
        case 33:
            // A message arrives broken.
            if let id, server.calls[id]?.queue.isEmpty == false {
                server.calls[id]?.queue.removeFirst()
                state.onUndecodable(now, id, PokeError(.protocol))
            }
        case 34: (server.floor, server.retained) = (server.head, [])
        case 35: server.restart()
        case 36: server.refuses = Bool.random(using: &random)
        case 37: server.limit = Int.random(in: 1...3, using: &random)
        default:
            if Bool.random(using: &random) {
                try add(number)
            } else {
                promises[interest(number)] = nil
                state.remove(now, 1, interest(number))
            }
        }
        act()
    }

    /// Does what a driver does.
    mutating func act() {
        state.onTime(now)
        while let action = state.takeAction() {
            switch action {
            case .open(let id, _, _) where server.refuses: state.onEnd(now, id, Failure(lost))
            case .open(let id, let request, _) where request.subscriptions.count > server.limit:
                state.onEnd(now, id, Failure(tooMany(limit: "\(server.limit)")))
            case .open(let id, let request, _): server.open(id, request)
            case .close(let id): server.calls[id] = nil
            case .retire: break
            }
        }
        if server.calls.count > 2 { faults.append("\(server.calls.count) calls") }
    }

    mutating func wait() { now = max(now, state.deadline ?? .zero) }

    mutating func deliver(_ id: CallID) {
        guard let message = server.calls[id]?.queue.first else { return }
        server.calls[id]?.queue.removeFirst()
        if case .reconnect = message { server.calls[id]?.isAnnounced = true }
        state.onMessage(now, id, message)
    }

    mutating func breakCall(_ id: CallID) {
        guard let call = server.calls.removeValue(forKey: id) else { return }
        let waiting = state.readers[1]?.queue.count
        state.onEnd(now, id, Failure(lost))
        // However often something failed while the call lived: who was asked to leave is back as after a first loss.
        if call.isAnnounced, state.readers[1]?.queue.count != waiting,
            case .event(.reconnecting(let lost))? = state.readers[1]?.queue.last, lost.delay != 5 * second / 2
        {
            faults.append("back after \(lost.delay)")
        }
    }

    mutating func publish(_ interest: Interest) {
        server.publish(interest)
        promises[interest]?.due.append((server.epoch, server.head))
    }

    mutating func take() {
        let event: PokeEvent
        switch state.pop(now, 1) {
        case .event(let next): event = next
        case .failed(let error): return faults.append("no fault of this world is final: \(error)")
        case .over, .none: return
        }
        guard let interest = event.interest else { return }
        guard var promise = promises[interest] else { return faults.append("an event of an interest that nobody holds") }
        func place(_ position: Position) -> (Int, Int64) { (Int(position.epoch) ?? -1, position.sequence) }
        switch event {
        case .live(let live):
            // What came before the first start was never promised.
            if !promise.isLive { promise.due.removeAll { $0 <= place(live.position) } }
            promise.isLive = true
        case .poke(let poke):
            if !promise.isLive { faults.append("a poke before its interest is live") }
            // A poke that isn't due has been handed out before, or comes after a later one.
            if let first = promise.due.first, first == place(poke.position) {
                promise.due.removeFirst()
            } else {
                faults.append("\(poke.position.sequence) of \(interest.filter) isn't due")
            }
        case .gap(let gap): promise.due.removeAll { $0 <= place(gap.position) }
        default: break
        }
        promises[interest] = promise
    }

    /// From now on nothing goes wrong.
    mutating func settle() {
        (server.refuses, server.limit) = (false, 3)
        for _ in 0..<10_000 {
            for id in server.calls.keys.sorted() {
                deliver(id)
                act()
            }
            take()
            guard server.calls.values.allSatisfy(\.queue.isEmpty) else { continue }
            if let deadline = state.deadline, deadline <= now + 19 * second {
                wait()
            } else if let old = server.calls.first(where: { $0.value.epoch != server.epoch || $0.value.limit < server.limit }) {
                breakCall(old.key)
            } else {
                break
            }
            act()
        }
        while state.readers[1]?.queue.isEmpty == false { take() }
    }
}

@Suite struct SimulationTests {
    @Test(arguments: 0..<300) func theUserGetsEachPokeOnceAndInOrderOrAGap(seed: Int) throws {
        var random = Seeded(state: UInt64(seed))
        var world = try World()
        for _ in 0..<Int.random(in: 0..<120, using: &random) { try world.step(&random) }
        world.settle()
        for number in 0..<3 { world.publish(interest(number)) }
        world.settle()
        for (interest, promise) in world.promises {
            if !promise.isLive { world.faults.append("\(interest.filter) never became live") }
            if !promise.due.isEmpty { world.faults.append("\(interest.filter) has silently lost \(promise.due)") }
        }
        #expect(world.faults == [])
    }
}
