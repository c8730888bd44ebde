import GRPCCore
import GRPCProtobuf
import PokeV1

@testable import MulticastPoke

let second = Duration.seconds(1)
let a = Interest("D", "a")

/// A state and the time. The dice are loaded: every wait is as long as it can be.
final class Rig {
    var state: State
    var now = second
    let reader: ReaderID = 1

    init(_ interests: [Interest] = [a], buffer: Int = 64, after: Position? = nil) throws {
        state = State(buffer: buffer) { $0 }
        state.join(reader)
        for interest in interests { try state.add(now, reader, interest, start: after.map(Start.after) ?? .new) }
        now += second
        _ = openedAfter()
    }

    /// A state that has opened no call yet.
    init(unopened interests: [Interest]) {
        state = State(buffer: 1000) { $0 }
        state.join(reader)
        for interest in interests { try? state.add(now, reader, interest, start: .new) }
        now += second
    }

    /// Lets time go by until a call is opened, and gives its request.
    func nextRequest() -> Poke_V1_SubscribeRequest? {
        while true {
            state.onTime(now)
            if let request = opened() { return request }
            guard let deadline = state.deadline else { return nil }
            now = max(now, deadline)
        }
    }

    /// Lets time go by until a call is opened; answers how long that took. It is taken to be the newest.
    @discardableResult
    func openedAfter() -> Duration {
        let begun = now
        while true {
            state.onTime(now)
            if opened() != nil { return now - begun }
            guard let deadline = state.deadline else { return .seconds(-1) }
            now = max(now, deadline)
        }
    }

    /// The request of a call that was opened, if one was.
    func opened() -> Poke_V1_SubscribeRequest? {
        var opened: Poke_V1_SubscribeRequest?
        while let action = state.takeAction() {
            if case .open(_, let request, _) = action { opened = request }
        }
        return opened
    }

    @discardableResult
    func remove(_ interest: Interest) -> Bool { state.remove(now, reader, interest) }

    func say(_ message: StreamEvent, on call: CallID? = nil) {
        state.onMessage(now, call ?? state.newestID, message)
    }

    func goLive(_ interests: [Interest] = [a], at sequence: Int64 = 1, on call: CallID? = nil) {
        say(welcome(), on: call)
        for interest in interests { say(live(interest, sequence), on: call) }
    }

    func lose(_ failure: Failure) -> Duration {
        state.onEnd(now, state.newestID, failure)
        return openedAfter()
    }

    func lose(_ status: RPCError = lost) -> Duration { lose(Failure(status)) }

    func pop(_ id: ReaderID? = nil) -> String? {
        switch state.pop(now, id ?? reader) {
        case .none: nil
        case .over: "over"
        case .failed(let error): "failed \(error.code ?? error.kind.rawValue)"
        case .event(let event): describe(event)
        }
    }

    /// All that waits, without what is about connections.
    func told(_ id: ReaderID? = nil) -> [String] {
        var told: [String] = []
        while let event = pop(id), told.last != "over" {
            if event != "connected", !event.hasPrefix("reconnecting") { told.append(event) }
        }
        return told
    }
}

func describe(_ event: PokeEvent) -> String {
    switch event {
    case .poke(let poke): "poke \(poke.interest.filter) \(poke.position.sequence)"
    case .gap(let gap): "gap \(gap.interest.filter) \(gap.reason) \(gap.position.sequence)"
    case .ended(let ended): "ended \(ended.interest.filter)"
    case .rejected(let rejected): "rejected \(rejected.interest.filter) \(rejected.isFinal ? "final" : "for now")"
    case .live(let live): "live \(live.interest.filter) \(live.outcome)"
    case .connected: "connected"
    case .reconnecting(let reconnecting): "reconnecting \(reconnecting.delay / second)"
    }
}

func at(_ sequence: Int64, epoch: String = "e") -> Position { Position(epoch: epoch, sequence: sequence) }

func welcome(maxInterests: Int = 100) -> StreamEvent {
    let limits = PokeEvent.Limits(maxInterests: maxInterests, maxPokeBytes: 0, maxDataDepth: 0, retentionWindow: .zero)
    let connected = PokeEvent.Connected(streamID: "", limits: limits, heartbeatInterval: 20 * second)
    return .welcome(connected, reconnectSpread: 5 * second)
}

func live(_ interest: Interest, _ sequence: Int64, _ outcome: PokeEvent.Live.Outcome = .recovered, epoch: String = "e")
    -> StreamEvent
{
    .subscribed(PokeEvent.Live(interest: interest, position: at(sequence, epoch: epoch), outcome: outcome))
}

func poke(_ interest: Interest, _ sequence: Int64, epoch: String = "e") -> StreamEvent {
    .poke(PokeEvent.Poke(interest: interest, data: nil, position: at(sequence, epoch: epoch), publishTime: .distantPast))
}

func gap(
    _ interest: Interest?, _ reason: PokeEvent.Gap.Reason, _ sequence: Int64, epoch: String = "e"
) -> StreamEvent {
    .gap(
        interest,
        PokeEvent.Gap(
            interest: interest ?? Interest("", ""), reason: reason, position: at(sequence, epoch: epoch), missedCount: nil,
            reloadAfter: .zero))
}

func ended(_ interest: Interest, _ sequence: Int64) -> StreamEvent {
    .ended(PokeEvent.Ended(interest: interest, position: at(sequence), data: nil))
}

func rejected(_ interest: Interest, retry: Duration? = nil) -> StreamEvent {
    let event = PokeEvent.Rejected(interest: interest, code: "NOT_FOUND", reason: "R", message: "", isFinal: retry == nil)
    return .rejected(event, retryDelay: retry)
}

func reconnect(_ minDelay: Int, _ maxDelay: Int, _ closesAfter: Int) -> StreamEvent {
    .reconnect(
        minDelay: minDelay * second, maxDelay: maxDelay * second, closesAfter: closesAfter * second, renewsToken: false)
}

let lost = RPCError(code: .unavailable, message: "the network", cause: TooLate(what: "the network"))

/// An error of the server itself.
func refusal(_ code: RPCError.Code, retry: Duration? = nil) -> RPCError {
    var details = [ErrorDetails.errorInfo(reason: "REASON", domain: "poke.v1", metadata: [:])]
    if let retry { details.append(.retryInfo(delay: retry)) }
    let status = GoogleRPCStatus(code: code, message: "", details: details)
    return RPCError(code: code, message: "", metadata: status.rpcErrorMetadata)
}

/// The server's refusal of a Subscribe with too many interests.
func tooMany(limit: String?) -> RPCError {
    let metadata = limit.map { ["limit": $0] } ?? [:]
    let info = ErrorDetails.errorInfo(reason: "TOO_MANY_INTERESTS", domain: "poke.v1", metadata: metadata)
    let status = GoogleRPCStatus(code: .invalidArgument, message: "", details: [info])
    return RPCError(code: .invalidArgument, message: "", metadata: status.rpcErrorMetadata)
}

func * (count: Int, duration: Duration) -> Duration { duration * count }
