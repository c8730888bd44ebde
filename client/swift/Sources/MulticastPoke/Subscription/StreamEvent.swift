import Foundation
import PokeV1
import SwiftProtobuf

/// One event of a stream, checked and in the client's own terms.
enum StreamEvent: Sendable {
    case welcome(PokeEvent.Connected, reconnectSpread: Duration)
    case subscribed(PokeEvent.Live)
    case rejected(PokeEvent.Rejected, retryDelay: Duration?)
    case poke(PokeEvent.Poke)
    /// Of one interest, or of all. `reloadAfter` is the whole spread.
    case gap(Interest?, PokeEvent.Gap)
    case ended(PokeEvent.Ended)
    case heartbeat(checkpoints: [Position])
    /// The server asks to move within a window, and closes the call later on.
    case reconnect(minDelay: Duration, maxDelay: Duration, closesAfter: Duration?, renewsToken: Bool)
    /// An event of a later version of the contract: a sign of life.
    case unknown

    /// Throws when something is missing that the contract promises.
    init(_ response: Poke_V1_SubscribeResponse) throws {
        func required<T>(_ value: T, if isThere: Bool, _ name: String) throws -> T {
            if isThere { return value }
            throw PokeError(.protocol, "the message has no \(name)")
        }
        func data(_ value: Google_Protobuf_Value, if isThere: Bool) throws -> PokeData? {
            isThere ? try PokeData(value) : nil
        }
        switch response.event {
        case .welcome(let welcome): self = StreamEvent(welcome)
        case .subscribed(let live):
            let outcome: PokeEvent.Live.Outcome =
                switch live.outcome {
                case .recovered: .recovered
                case .gap: .gap
                default: .fresh
                }
            self = .subscribed(
                PokeEvent.Live(
                    interest: Interest(try required(live.interest, if: live.hasInterest, "interest")),
                    position: Position(try required(live.position, if: live.hasPosition, "position")), outcome: outcome))
        case .rejected(let rejected):
            let event = PokeEvent.Rejected(
                interest: Interest(try required(rejected.interest, if: rejected.hasInterest, "interest")),
                code: PokeError.name(ofCode: Int(rejected.code)), reason: rejected.reason, message: rejected.message,
                isFinal: !rejected.hasRetryDelay)
            self = .rejected(event, retryDelay: event.isFinal ? nil : Duration(wire: rejected.retryDelay))
        case .poke(let poke):
            self = .poke(
                PokeEvent.Poke(
                    interest: Interest(poke.domain, poke.filter, audience: Audience(poke.audience)),
                    data: try data(poke.data, if: poke.hasData),
                    position: Position(try required(poke.position, if: poke.hasPosition, "position")),
                    publishTime: poke.publishTime.date))
        case .gap(let gap):
            let interest = gap.hasInterest ? Interest(gap.interest) : nil
            self = .gap(
                interest,
                PokeEvent.Gap(
                    interest: interest ?? Interest("", ""), reason: PokeEvent.Gap.Reason(gap.reason),
                    position: Position(try required(gap.position, if: gap.hasPosition, "position")),
                    missedCount: gap.hasMissedCount ? gap.missedCount : nil, reloadAfter: Duration(wire: gap.reloadSpread)))
        case .ended(let ended):
            self = .ended(
                PokeEvent.Ended(
                    interest: Interest(try required(ended.interest, if: ended.hasInterest, "interest")),
                    position: Position(try required(ended.position, if: ended.hasPosition, "position")),
                    data: try data(ended.data, if: ended.hasData)))
        case .heartbeat(let heartbeat): self = .heartbeat(checkpoints: heartbeat.checkpoints.map { Position($0) })
        case .reconnect(let reconnect):
            let closesAfter = reconnect.hasClosesAfter ? Duration(wire: reconnect.closesAfter) : nil
            let maxDelay = min(Duration(wire: reconnect.maxDelay), closesAfter ?? .seconds(86_400))
            self = .reconnect(
                minDelay: min(Duration(wire: reconnect.minDelay), maxDelay), maxDelay: maxDelay, closesAfter: closesAfter,
                renewsToken: reconnect.reason == .tokenExpiring)
        case nil: self = .unknown
        }
    }

    private init(_ welcome: Poke_V1_Welcome) {
        let heartbeat = Duration(wire: welcome.heartbeatInterval)
        let limits = PokeEvent.Limits(
            maxInterests: max(0, Int(welcome.limits.maxInterests)), maxPokeBytes: max(0, Int(welcome.limits.maxPokeBytes)),
            maxDataDepth: max(0, Int(welcome.limits.maxDataDepth)),
            retentionWindow: Duration(wire: welcome.limits.retentionWindow))
        let connected = PokeEvent.Connected(
            streamID: welcome.streamID, limits: limits,
            heartbeatInterval: heartbeat > .zero ? heartbeat : Numbers.heartbeatInterval)
        self = .welcome(connected, reconnectSpread: Duration(wire: welcome.reconnectSpread))
    }
}

extension PokeEvent.Gap.Reason {
    init(_ wire: Poke_V1_GapReason) {
        self =
            switch wire {
            case .epochChanged: .epochChanged
            case .evicted: .evicted
            case .lagged: .lagged
            case .backplane: .backplane
            case .unspecified, .UNRECOGNIZED: .unspecified
            }
    }
}

extension Audience {
    /// An unknown audience is read as the zero value (poke.proto, "Growth").
    init(_ wire: Poke_V1_Audience) { self = wire == .customer ? .customer : .everyone }

    var wire: Poke_V1_Audience { self == .customer ? .customer : .unspecified }
}

extension Interest {
    init(_ wire: Poke_V1_Interest) { self.init(wire.domain, wire.filter, audience: Audience(wire.audience)) }
}

extension Position {
    init(_ wire: Poke_V1_Position) { self.init(epoch: wire.epoch, sequence: wire.sequence) }
}

extension Poke_V1_Interest {
    init(_ interest: Interest) {
        self = .with { ($0.domain, $0.filter, $0.audience) = (interest.domain, interest.filter, interest.audience.wire) }
    }
}

extension Poke_V1_Position {
    init(_ position: Position) { self = .with { ($0.epoch, $0.sequence) = (position.epoch, position.sequence) } }
}
