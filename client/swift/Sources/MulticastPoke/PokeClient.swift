import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import PokeV1

/// A client of a Multicast Poke service: listens to interests over one stream, and sends pokes.
///
/// ```swift
/// let client = try PokeClient("https://poke.example.com")
/// for try await event in client.pokes([Interest("PLAYLIST", "42")]) {
///     switch event {
///     case .poke(let poke): print(poke.data ?? "undefined")
///     case .gap: print("something was missed: reload the playlist")
///     default: break
///     }
/// }
/// ```
///
/// What it does when connections are lost, servers drain and tokens expire is written down once for all languages, in
/// `client/README.md`. Keep one client for the whole app: all loops share its stream and its connection.
public final class PokeClient: Sendable {
    private let hub: Hub
    let connector: Connector
    let tokens: Tokens
    let now: @Sendable () -> Moment

    /// A client of the service at `url`: `https://host`, `http://host:port` or `unix:/path`. It connects when it is first used.
    ///
    /// - Parameters:
    ///   - token: An API key or a JWT, sent as `authorization: Bearer`.
    ///   - eventBuffer: How many events wait for a slow loop. Beyond that the client stops reading, and a server that must
    ///     wait for too long reports a gap.
    ///   - security: Set it to name authorities or a certificate of the client's own. By default the system's authorities
    ///     hold for `https:`.
    /// - Throws: ``PokeError/Kind/config`` for a malformed URL.
    public convenience init(
        _ url: String, token: String? = nil, eventBuffer: Int = 64,
        security: HTTP2ClientTransport.Posix.TransportSecurity? = nil
    ) throws(PokeError) {
        let dial = try Endpoint(url).dial(security)
        self.init(tokens: token.map { .fixed($0) } ?? .none, eventBuffer: eventBuffer, dial: dial)
    }

    /// A client that asks for a token before the first call, when the server no longer accepts the last one, and when it says
    /// that the token is about to expire. A failure counts as a lost connection: the provider is asked again after the backoff.
    public convenience init(
        _ url: String, eventBuffer: Int = 64, security: HTTP2ClientTransport.Posix.TransportSecurity? = nil,
        tokenProvider: @escaping @Sendable () async throws -> String
    ) throws(PokeError) {
        let dial = try Endpoint(url).dial(security)
        self.init(tokens: .provided(tokenProvider), eventBuffer: eventBuffer, dial: dial)
    }

    /// A client over any transport of gRPC Swift, such as `.http2NIOTS` of Network.framework. `transport` makes a new connection
    /// each time.
    public convenience init<Transport: ClientTransport>(
        eventBuffer: Int = 64, tokenProvider: (@Sendable () async throws -> String)? = nil,
        transport: @escaping @Sendable () throws -> Transport
    ) {
        self.init(tokens: tokenProvider.map { .provided($0) } ?? .none, eventBuffer: eventBuffer) {
            GRPCConnection(try transport())
        }
    }

    init(tokens source: Tokens.Source, eventBuffer: Int, dial: @escaping @Sendable () throws -> any Connection) {
        // A clock that goes on while the device sleeps: mach_continuous_time, CLOCK_BOOTTIME.
        let start = ContinuousClock.now
        now = { start.duration(to: .now) }
        (connector, tokens) = (Connector(dial: dial), Tokens(source, now: now))
        hub = Hub(state: State(buffer: eventBuffer), connector: connector, tokens: tokens, now: now)
    }

    // MARK: Listening.

    /// Listens to interests: new pokes, or from the newest retained one (`latest`), or for those that are in `positions` from
    /// there on.
    ///
    /// All loops of a client share one stream, and interests are counted: one that two loops hold is asked for once, delivered
    /// once to each, and starts as the first of them said.
    public func pokes(_ interests: [Interest], latest: Bool = false, after positions: [SavedPosition] = []) -> Pokes {
        let known = Dictionary(positions.map { ($0.interest, $0.position) }) { first, _ in first }
        return Pokes(hub: hub, interests: interests) { known[$0].map(Start.after) ?? (latest ? .latest : .new) }
    }

    /// Listens to one interest.
    public func pokes(_ interest: Interest, latest: Bool = false, after position: Position? = nil) -> Pokes {
        pokes([interest], latest: latest, after: position.map { [SavedPosition(interest, $0)] } ?? [])
    }

    /// The position of each interest through the last event that every loop has been given.
    public var positions: [SavedPosition] { hub.step { state, _ in state.positions } }

    /// The app goes to the background, where its connections die: closes them, and keeps the interests and their positions.
    public func suspend() { hub.step { state, _ in state.suspend() } }

    /// The app is back: goes on where it was.
    public func resume() { hub.step { state, now in state.resume(now) } }

    /// The network has changed, from Wi-Fi to cellular for example: moves to a new connection now, and waits for no backoff.
    public func networkChanged() { hub.step { state, now in state.onNetworkChange(now) } }

    /// Ends every loop and closes the connection. What is being sent is not tried again, and later calls throw
    /// ``PokeError/Kind/closed``.
    public func close() {
        hub.step { state, _ in state.close() }
        connector.close()
    }

    // MARK: Sending.

    /// The server's answer to a publish.
    public struct Published: Sendable {
        /// Where the poke stands in the log.
        public var position: Position
        /// How many streams held the interest on the answering node at that instant: for people, never for decisions.
        public var localReceiverCount: Int?
        /// True when the key had been used before: the position is the first one's, and nothing was sent again.
        public var isDuplicate: Bool
    }

    /// Sends one poke. It is tried again under one key until the server has answered or the deadline has passed.
    ///
    /// - Parameters:
    ///   - data: `nil` is *undefined*.
    ///   - customer: For one customer only, in a domain of that audience.
    ///   - key: Names the call, so that a repeat isn't a second poke: 1 to 128 printable ASCII characters.
    /// - Throws: ``PokeError``: ``PokeError/Kind/unavailable`` after the deadline, when the outcome is unknown and the same key
    ///   may be used again; ``PokeError/Kind/refused`` when the server said no; `CancellationError`.
    @discardableResult
    public func publish(
        _ domain: String, _ filter: String, data: PokeData? = nil, customer: String? = nil, key: String? = nil,
        deadline: Duration = .seconds(10)
    ) async throws -> Published {
        var request = Poke_V1_PublishRequest()
        (request.domain, request.filter) = (domain, filter)
        (request.audience, request.customerID) = (customer == nil ? .unspecified : .customer, customer ?? "")
        request.idempotencyKey = Self.orRandom(key)
        if let data { request.data = try data.wire() }
        let method = Poke_V1_PokeService.Method.Publish.descriptor
        let answer: Poke_V1_PublishResponse = try await call(method, request, deadline)
        guard answer.hasPosition else { throw PokeError(.protocol, "the answer has no position") }
        return Published(
            position: Position(answer.position),
            localReceiverCount: answer.hasLocalReceiverCount ? Int(answer.localReceiverCount) : nil,
            isDuplicate: answer.duplicate)
    }

    /// Tells the subscribers of an interest that there is no more. Repeats answer with the first position. As ``publish``.
    @discardableResult
    public func end(
        _ domain: String, _ filter: String, data: PokeData? = nil, customer: String? = nil, key: String? = nil,
        deadline: Duration = .seconds(10)
    ) async throws -> Position {
        var request = Poke_V1_EndInterestRequest()
        (request.domain, request.filter) = (domain, filter)
        (request.audience, request.customerID) = (customer == nil ? .unspecified : .customer, customer ?? "")
        request.idempotencyKey = Self.orRandom(key)
        if let data { request.data = try data.wire() }
        let method = Poke_V1_PokeService.Method.EndInterest.descriptor
        let answer: Poke_V1_EndInterestResponse = try await call(method, request, deadline)
        guard answer.hasPosition else { throw PokeError(.protocol, "the answer has no position") }
        return Position(answer.position)
    }
}
