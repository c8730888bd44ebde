import GRPCCore
import GRPCProtobuf
import PokeV1
import SwiftProtobuf
import Synchronization

/// One HTTP/2 connection, opened by its first call. It lasts as long as a call is on it, or somebody holds it: to close it is to let
/// it go. (gRPC Swift's own graceful shutdown would fail the calls that wait for it to open.)
protocol Connection: AnyObject, Sendable {
    /// Calls, and hands each message to `onMessage`, which may take its time. Returns when the server has closed with OK.
    func subscribe(
        _ request: Poke_V1_SubscribeRequest, _ metadata: Metadata,
        onMessage: @escaping @Sendable (Result<StreamEvent, PokeError>) async -> Void
    ) async throws

    func unary<Request: SwiftProtobuf.Message, Response: SwiftProtobuf.Message>(
        _ method: MethodDescriptor, _ request: Request, _ metadata: Metadata, timeout: Duration
    ) async throws -> Response
}

final class GRPCConnection<Transport: ClientTransport>: Connection {
    private let client: GRPCClient<Transport>

    init(_ transport: Transport) {
        let client = GRPCClient(transport: transport)
        self.client = client
        Task { try? await client.runConnections() }
    }

    deinit { client.beginGracefulShutdown() }

    func subscribe(
        _ request: Poke_V1_SubscribeRequest, _ metadata: Metadata,
        onMessage: @escaping @Sendable (Result<StreamEvent, PokeError>) async -> Void
    ) async throws {
        try await client.serverStreaming(
            request: ClientRequest(message: request, metadata: metadata),
            descriptor: Poke_V1_PokeService.Method.Subscribe.descriptor,
            serializer: ProtobufSerializer<Poke_V1_SubscribeRequest>(), deserializer: EventDeserializer(), options: .defaults
        ) { response in
            for try await message in response.messages { await onMessage(message) }
        }
    }

    func unary<Request: SwiftProtobuf.Message, Response: SwiftProtobuf.Message>(
        _ method: MethodDescriptor, _ request: Request, _ metadata: Metadata, timeout: Duration
    ) async throws -> Response {
        var options = CallOptions.defaults
        options.timeout = timeout
        let begun = ContinuousClock.now
        do {
            return try await client.unary(
                request: ClientRequest(message: request, metadata: metadata), descriptor: method,
                serializer: ProtobufSerializer<Request>(), deserializer: ProtobufDeserializer<Response>(), options: options
            ) { try $0.message }
        } catch  where ContinuousClock.now - begun >= timeout && !Task.isCancelled {
            // gRPC Swift cancels what takes too long, and says no more than that.
            throw RPCError(code: .deadlineExceeded, message: "no answer in time")
        }
    }
}

/// A message that can't be read is an item of its own: an error of a deserializer would look like one of the server.
private struct EventDeserializer: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) -> Result<StreamEvent, PokeError> {
        Result { try StreamEvent(ProtobufDeserializer<Poke_V1_SubscribeResponse>().deserialize(bytes)) }
            .mapError { $0 as? PokeError ?? PokeError(.protocol, "a message that can't be read", cause: $0) }
    }
}

/// Opens connections, and holds the one that new calls use.
final class Connector: Sendable {
    private let dial: @Sendable () throws -> any Connection
    private let held = Mutex<(connection: (any Connection)?, isClosed: Bool)>((nil, false))

    init(dial: @escaping @Sendable () throws -> any Connection) { self.dial = dial }

    /// The connection for a new call. Throws when it can never be made, and when this is closed.
    func current() throws(PokeError) -> any Connection {
        let made = held.withLock { held -> Result<any Connection, any Error>? in
            if held.isClosed { return nil }
            return Result {
                let connection = try held.connection ?? dial()
                held.connection = connection
                return connection
            }
        }
        guard let made else { throw PokeError(.closed, "the client is closed") }
        do { return try made.get() } catch { throw PokeError(.config, "no connection can be made like this", cause: error) }
    }

    /// No new call uses `connection` any more: its server has said GOAWAY, or nothing comes through it. Its calls go on.
    func retire(_ connection: any Connection) {
        held.withLock { if $0.connection === connection { $0.connection = nil } }
    }

    /// No connection is made any more.
    func close() { held.withLock { $0 = (nil, true) } }
}
