import Foundation
import Synchronization

/// One event of ``PokeClient/pokes(_:latest:after:)``. More may come: have a `default`.
public enum PokeEvent: Sendable {
    /// The signal.
    case poke(Poke)
    /// Something was lost: reload the interest's state, and go on.
    case gap(Gap)
    /// There is no more of an interest. The client doesn't ask for it again.
    case ended(Ended)
    /// The server refuses an interest, or no longer serves it. The others go on.
    case rejected(Rejected)
    /// An interest is live, after it was added or after the connection was lost.
    case live(Live)
    /// A stream is open; also after a planned move to another one.
    case connected(Connected)
    /// The connection is lost. The client tries again by itself, and nothing has to be done.
    case reconnecting(Reconnecting)

    public struct Poke: Sendable {
        public var interest: Interest
        /// What the publisher said. `nil` is *undefined*, which is not ``PokeData/null``.
        public var data: PokeData?
        /// Where it stands in the log.
        public var position: Position
        /// When the server accepted it, by the server's clock. For people; order comes from `position`.
        public var publishTime: Date

        /// The data as a type of the program's own. Without data it throws.
        public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
            guard let data else {
                throw DecodingError.valueNotFound(T.self, .init(codingPath: [], debugDescription: "the poke has no data"))
            }
            return try data.decode(type)
        }
    }

    /// Everything of an interest up to and including `position` that has not been delivered is lost; what comes after follows.
    public struct Gap: Sendable {
        public var interest: Interest
        public var reason: Reason
        public var position: Position
        /// How many pokes the stream missed; with ``Reason/lagged`` only.
        public var missedCount: Int64?
        /// Wait for this long before the reload, so that a million clients don't call the app's back end at once.
        public var reloadAfter: Duration

        public enum Reason: String, Sendable {
            /// A reason that this client doesn't know.
            case unspecified
            /// The position is not of the history that the server holds, for example after a restart.
            case epochChanged
            /// The position is older than what the server retains.
            case evicted
            /// This client read too slowly.
            case lagged
            /// The servers lost touch with each other for a while.
            case backplane
            /// This client could not read a message of the server, and started afresh after it.
            case undecodable
        }
    }

    public struct Ended: Sendable {
        public var interest: Interest
        /// Every poke of the interest came before it.
        public var position: Position
        /// The publisher's last word.
        public var data: PokeData?
    }

    public struct Rejected: Sendable {
        public var interest: Interest
        /// The gRPC code, such as `NOT_FOUND`.
        public var code: String
        /// The exact cause, from the table of errors in poke.proto.
        public var reason: String
        /// The same for people.
        public var message: String
        /// True: the client gives the interest up. False: it asks again by itself.
        public var isFinal: Bool
        private let handled = Handled()

        /// Marks the rejection as handled by the program. A loop whose interests are all over throws the first final rejection
        /// that isn't marked, so that none is overlooked.
        public func markHandled() { handled.flag.store(true, ordering: .relaxed) }

        var isHandled: Bool { handled.flag.load(ordering: .relaxed) }

        /// The same rejection, for another loop, which hasn't handled it.
        var unhandled: Rejected {
            Rejected(interest: interest, code: code, reason: reason, message: message, isFinal: isFinal)
        }

        /// The mark, which all copies of one event share.
        private final class Handled: Sendable {
            let flag = Atomic(false)
        }

        init(interest: Interest, code: String, reason: String, message: String, isFinal: Bool) {
            (self.interest, self.code, self.reason) = (interest, code, reason)
            (self.message, self.isFinal) = (message, isFinal)
        }

        /// The client's own rejection of an interest for which a stream has no room.
        static func overLimit(_ interest: Interest, _ limit: Int) -> Rejected {
            Rejected(
                interest: interest, code: "INVALID_ARGUMENT", reason: tooManyInterests,
                message: "over the limit of \(limit) interests of a stream; it is asked for when there is room",
                isFinal: false)
        }
    }

    public struct Live: Sendable {
        public var interest: Interest
        /// Everything after it follows.
        public var position: Position
        public var outcome: Outcome

        public enum Outcome: String, Sendable {
            /// At the head of the log, or just before the newest retained poke if that was asked for.
            case fresh
            /// After the position that was asked for: nothing is missing.
            case recovered
            /// It can't go on from there; a ``PokeEvent/gap(_:)`` follows.
            case gap
        }
    }

    public struct Connected: Sendable {
        /// Names the stream in the server's log.
        public var streamID: String
        public var limits: Limits
        /// How long the server stays silent at most.
        public var heartbeatInterval: Duration
    }

    /// What a server accepts.
    public struct Limits: Sendable {
        /// Interests of one client.
        public var maxInterests: Int
        /// Bytes of a poke: domain, filter and data in protobuf's encoding.
        public var maxPokeBytes: Int
        /// Arrays and objects nested in data.
        public var maxDataDepth: Int
        /// For how long pokes, idempotency keys and ends are kept.
        public var retentionWindow: Duration
    }

    public struct Reconnecting: Sendable {
        /// What ended the stream.
        public var cause: PokeError
        /// How long until the next attempt.
        public var delay: Duration
    }

    /// The interest that it is about; `nil` for the connection.
    public var interest: Interest? {
        switch self {
        case .poke(let event): event.interest
        case .gap(let event): event.interest
        case .ended(let event): event.interest
        case .rejected(let event): event.interest
        case .live(let event): event.interest
        case .connected, .reconnecting: nil
        }
    }

    /// What may be saved once it is handled. The start of an interest that has lost something comes before its gap, and doesn't
    /// count.
    var saves: SavedPosition? {
        switch self {
        case .poke(let event): SavedPosition(event.interest, event.position)
        case .gap(let event): SavedPosition(event.interest, event.position)
        case .ended(let event): SavedPosition(event.interest, event.position)
        case .live(let event) where event.outcome != .gap: SavedPosition(event.interest, event.position)
        default: nil
        }
    }
}
