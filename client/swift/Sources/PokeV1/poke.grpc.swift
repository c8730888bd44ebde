/// Multicast Poke: small signals from the cloud to every client that holds the same interest.
///
/// This file is the specification. MUST, MUST NOT, SHOULD and MAY are used as in RFC 2119. Where another document
/// disagrees with it, this file wins.
///
/// # The whole of it in one paragraph
///
/// A back end calls Publish with a domain, a filter and optional data. Every client whose open Subscribe stream names
/// that interest (domain + filter) receives the poke in near real time. Clients own their subscriptions: the set of
/// interests, and the last position that they saw of each. To change interests, to refresh a token, to follow a server
/// that drains, or to survive a lost network, a client does one and the same thing: it opens a new Subscribe with the
/// full set and its positions, waits until that is live, and drops the old one. The server keeps no session.
///
/// # Order, duplicates and loss
///
/// 1. Order. On one stream, the pokes of one interest arrive in the order in which the server accepted them: with
///    strictly rising positions. Nothing is promised about the order between two interests.
/// 2. Duplicates. One stream never carries the same poke twice. While a client moves from an old stream to a new one
///    it can see a poke on both: it MUST drop every poke and gap whose position is at or before the one that it has
///    saved for that interest (same epoch; see Gap for the exception). An Ended always counts.
/// 3. Loss. The server never loses a poke in silence: a subscriber sees every poke of a live interest, or a Gap that
///    says up to where it has missed something.
/// 4. Freshness. A poke can describe a change that the client already knows, for example from a reload that it made a
///    moment ago. Data SHOULD be idempotent, or carry a version of its own.
///
/// # Resume
///
/// A Position names a place in a log that many interests share. A client saves, for each interest, the position of the
/// newest Subscribed, Poke, Gap or Ended that it has handled, and raises it by the checkpoints of Heartbeat. It sends
/// the saved position as `after` when it subscribes again. Registering and replaying are one atomic step: a poke that is
/// published in between arrives exactly once. A position that the server can't honour (unknown, of another epoch, in
/// the future, garbled, or older than what is retained) is answered by a Gap; never by an error, and never by silence.
///
/// # Who ends a stream
///
/// The client, by cancelling it. The server ends it with OK when each interest has ended or was finally rejected, and
/// otherwise with a status from the table below. It announces a planned end by Reconnect. A client MUST treat silence of
/// 2.5 heartbeat intervals as a lost connection.
///
/// # Callers
///
/// A call carries an API key or a JWT as metadata, `authorization: Bearer`; a client's certificate can stand for it. The
/// server's configuration says who may publish and end, and who may listen: everyone, who is authenticated, or whose token
/// grants the interest. A call whose credentials don't hold is refused, even where none are needed; so are Publish and
/// EndInterest without the right to them. An interest that may not be listened to is rejected by its event, while the
/// others go on. A server that is set up with neither keys nor issuers, as in development, looks at no credentials.
///
/// Before a token expires its stream gets Reconnect, RECONNECT_REASON_TOKEN_EXPIRING. At its end the stream ends with
/// UNAUTHENTICATED, TOKEN_EXPIRED, and nothing is delivered after that. If rights are withdrawn, a live interest is
/// rejected; if the key or the issuer is withdrawn, the stream ends with UNAUTHENTICATED, INVALID_CREDENTIALS. An operator
/// can revoke a customer's tokens: then their streams end with UNAUTHENTICATED, TOKEN_REVOKED, as does every call with a
/// token that was issued until then. A token that the issuer makes later is accepted again.
///
/// # Errors
///
/// Each error carries google.rpc.Status details: ErrorInfo (domain "poke.v1", an UPPER_SNAKE reason), BadRequest with at
/// most 8 field violations for bad input, RetryInfo when a retry is right. The message stays under 1 KB, all the details
/// under 4 KiB, and neither repeats the input.
///
/// One rule for every client. Retry if RetryInfo is present, or the code is UNAVAILABLE or DEADLINE_EXCEEDED, or the
/// transport itself (not the server) raised CANCELLED or INTERNAL. UNAUTHENTICATED: refresh the token and try once more.
/// Everything else is final. An HTTP answer that isn't gRPC comes from a proxy or from something else that listens there:
/// 408, 429 and 5xx are retried, 401 is UNAUTHENTICATED, and the others are final, whatever code a library makes of them.
///
///   code                 reason                          when
///   INVALID_ARGUMENT     INVALID_DOMAIN                  not 1 to 64 of [A-Za-z0-9_.-]
///   INVALID_ARGUMENT     INVALID_FILTER                  not 1 to 256 bytes, or with a forbidden character
///   INVALID_ARGUMENT     INVALID_DATA                    data breaks a rule of `PublishRequest.data`
///   INVALID_ARGUMENT     INVALID_CUSTOMER                customer_id without AUDIENCE_CUSTOMER, the reverse, or malformed
///   INVALID_ARGUMENT     INVALID_AUDIENCE                a value that this server doesn't know
///   INVALID_ARGUMENT     INVALID_IDEMPOTENCY_KEY         not 1 to 128 printable ASCII characters
///   INVALID_ARGUMENT     INVALID_SUBSCRIPTIONS           none, or a subscription without an interest
///   INVALID_ARGUMENT     INVALID_REQUEST                 not a message of this contract
///   INVALID_ARGUMENT     UNSUPPORTED_FIELD               a field that this server doesn't know; see Growth
///   INVALID_ARGUMENT     TOO_MANY_INTERESTS              more than Limits.max_interests; details carry `limit`
///   UNAUTHENTICATED      CREDENTIALS_REQUIRED            neither a key nor a token was sent, and one is needed
///   UNAUTHENTICATED      INVALID_CREDENTIALS             a key or token that this server doesn't accept
///   UNAUTHENTICATED      TOKEN_EXPIRED                   a token whose time is over; on an open stream too
///   UNAUTHENTICATED      TOKEN_REVOKED                   a token that was revoked; on an open stream too
///   UNAUTHENTICATED      CUSTOMER_REQUIRED               AUDIENCE_CUSTOMER without a verified customer
///   PERMISSION_DENIED    NO_PUBLISHERS                   the server's configuration lets nobody publish to the domain
///   PERMISSION_DENIED    NOT_A_PUBLISHER                 these credentials have no right to publish there, or to end
///   PERMISSION_DENIED    NOT_GRANTED                     these credentials don't grant the interest
///   PERMISSION_DENIED    NOT_AN_ADMIN                    these credentials give no right to administer
///   NOT_FOUND            UNKNOWN_DOMAIN                  the domain isn't configured on this server
///   ALREADY_EXISTS       IDEMPOTENCY_KEY_REUSED          the key has already been used for other content
///   FAILED_PRECONDITION  WRONG_AUDIENCE                  the domain is configured for the other audience
///   FAILED_PRECONDITION  INTEREST_ENDED                  EndInterest was called for it within the retention window
///   RESOURCE_EXHAUSTED   POKE_TOO_LARGE                  over 131,072 bytes; details carry `limit`, and `size` or `size_over`
///   RESOURCE_EXHAUSTED   REQUEST_TOO_LARGE               a SubscribeRequest over the bytes that it may take
///   RESOURCE_EXHAUSTED   HEADERS_TOO_LARGE               the request's header fields, such as the token; details carry `limit`
///   RESOURCE_EXHAUSTED   RATE_LIMITED                    the publisher, or all together, send too fast (RetryInfo)
///   RESOURCE_EXHAUSTED   TOO_MANY_STREAMS                server, address or customer has no more (RetryInfo)
///   RESOURCE_EXHAUSTED   OVERLOADED                      the server has no memory to spare just now (RetryInfo)
///   ABORTED              CLIENT_STALLED                  the client didn't read for too long (RetryInfo)
///   UNAVAILABLE          SHUTTING_DOWN                   the server is going away (RetryInfo)
///   UNAVAILABLE          MAX_AGE                         the stream reached its age after a Reconnect (RetryInfo)
///   UNAVAILABLE          KEYS_UNAVAILABLE                the token can't be checked just now (RetryInfo)
///   UNAVAILABLE          BACKPLANE_UNAVAILABLE           nothing can be stored just now (RetryInfo)
///   DEADLINE_EXCEEDED    DEADLINE                        the caller's grpc-timeout or connect-timeout-ms passed
///   UNIMPLEMENTED        UNKNOWN_METHOD                  no such method, or an encoding that the server doesn't speak
///   INTERNAL             INTERNAL                        a fault of the server; the log has it
///
/// # Growth
///
/// Old clients never change. Fields and events are only ever added. A client MUST ignore a field or an event that it
/// doesn't know, but counts the event as a sign of life. A client MUST treat an unknown enum value as the zero value.
///
/// Requests are strict. A server MUST refuse a request that has a field which it doesn't know, at any level but inside
/// `data`, in protobuf as in JSON: INVALID_ARGUMENT, UNSUPPORTED_FIELD, with the number or the name of the field. A server
/// that dropped the field could do something else than what was asked for. The refusal is of the whole call and final: a
/// client MUST NOT send the call again without the field by itself, and SHOULD set a field only if its program did. So
/// servers are upgraded first, and clients after them.

// DO NOT EDIT.
// swift-format-ignore-file
// swiftlint:disable all
//
// Generated by the gRPC Swift generator plugin for the protocol buffer compiler.
// Source: poke/v1/poke.proto
//
// For information on using the generated types, please see the documentation:
//   https://github.com/grpc/grpc-swift

import GRPCCore
import GRPCProtobuf

// MARK: - poke.v1.PokeService

/// Namespace containing generated types for the "poke.v1.PokeService" service.
@available(macOS 15.0, iOS 18.0, watchOS 11.0, tvOS 18.0, visionOS 2.0, *)
public enum Poke_V1_PokeService: Sendable {
    /// Service descriptor for the "poke.v1.PokeService" service.
    public static let descriptor = GRPCCore.ServiceDescriptor(fullyQualifiedService: "poke.v1.PokeService")
    /// Namespace for method metadata.
    public enum Method: Sendable {
        /// Namespace for "Publish" metadata.
        public enum Publish: Sendable {
            /// Request type for "Publish".
            public typealias Input = Poke_V1_PublishRequest
            /// Response type for "Publish".
            public typealias Output = Poke_V1_PublishResponse
            /// Descriptor for "Publish".
            public static let descriptor = GRPCCore.MethodDescriptor(
                service: GRPCCore.ServiceDescriptor(fullyQualifiedService: "poke.v1.PokeService"),
                method: "Publish",
                type: .unary
            )
        }
        /// Namespace for "Subscribe" metadata.
        public enum Subscribe: Sendable {
            /// Request type for "Subscribe".
            public typealias Input = Poke_V1_SubscribeRequest
            /// Response type for "Subscribe".
            public typealias Output = Poke_V1_SubscribeResponse
            /// Descriptor for "Subscribe".
            public static let descriptor = GRPCCore.MethodDescriptor(
                service: GRPCCore.ServiceDescriptor(fullyQualifiedService: "poke.v1.PokeService"),
                method: "Subscribe",
                type: .serverStreaming
            )
        }
        /// Namespace for "EndInterest" metadata.
        public enum EndInterest: Sendable {
            /// Request type for "EndInterest".
            public typealias Input = Poke_V1_EndInterestRequest
            /// Response type for "EndInterest".
            public typealias Output = Poke_V1_EndInterestResponse
            /// Descriptor for "EndInterest".
            public static let descriptor = GRPCCore.MethodDescriptor(
                service: GRPCCore.ServiceDescriptor(fullyQualifiedService: "poke.v1.PokeService"),
                method: "EndInterest",
                type: .unary
            )
        }
        /// Descriptors for all methods in the "poke.v1.PokeService" service.
        public static let descriptors: [GRPCCore.MethodDescriptor] = [
            Publish.descriptor,
            Subscribe.descriptor,
            EndInterest.descriptor
        ]
    }
}

@available(macOS 15.0, iOS 18.0, watchOS 11.0, tvOS 18.0, visionOS 2.0, *)
extension GRPCCore.ServiceDescriptor {
    /// Service descriptor for the "poke.v1.PokeService" service.
    public static let poke_v1_PokeService = GRPCCore.ServiceDescriptor(fullyQualifiedService: "poke.v1.PokeService")
}

// MARK: poke.v1.PokeService (client)

@available(macOS 15.0, iOS 18.0, watchOS 11.0, tvOS 18.0, visionOS 2.0, *)
extension Poke_V1_PokeService {
    /// Generated client protocol for the "poke.v1.PokeService" service.
    ///
    /// You don't need to implement this protocol directly, use the generated
    /// implementation, ``Client``.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > PokeService sends pokes and delivers them.
    /// > 
    /// > It speaks gRPC, gRPC-Web and Connect on one port. The unary methods also take plain JSON over HTTP POST
    /// > (`content-type: application/json`), so that `curl` needs no library, and Connect's streams come in protobuf or JSON
    /// > (`application/connect+proto`, `application/connect+json`).
    public protocol ClientProtocol: Sendable {
        /// Call the "Publish" method.
        ///
        /// > Source IDL Documentation:
        /// >
        /// > Publish sends one poke to everyone who holds its interest at this moment, and retains it for those who come back.
        /// > 
        /// > OK means accepted: the poke has its place in the log, and each subscriber sees it or a Gap. Publish never waits for
        /// > a subscriber. After UNAVAILABLE or DEADLINE_EXCEEDED the outcome is unknown: retry with the same idempotency_key.
        ///
        /// - Parameters:
        ///   - request: A request containing a single `Poke_V1_PublishRequest` message.
        ///   - serializer: A serializer for `Poke_V1_PublishRequest` messages.
        ///   - deserializer: A deserializer for `Poke_V1_PublishResponse` messages.
        ///   - options: Options to apply to this RPC.
        ///   - handleResponse: A closure which handles the response, the result of which is
        ///       returned to the caller. Returning from the closure will cancel the RPC if it
        ///       hasn't already finished.
        /// - Returns: The result of `handleResponse`.
        func publish<Result>(
            request: GRPCCore.ClientRequest<Poke_V1_PublishRequest>,
            serializer: some GRPCCore.MessageSerializer<Poke_V1_PublishRequest>,
            deserializer: some GRPCCore.MessageDeserializer<Poke_V1_PublishResponse>,
            options: GRPCCore.CallOptions,
            onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_PublishResponse>) async throws -> Result
        ) async throws -> Result where Result: Sendable

        /// Call the "Subscribe" method.
        ///
        /// > Source IDL Documentation:
        /// >
        /// > Subscribe opens a stream of events for a set of interests.
        /// > 
        /// > The set can't change: open a new stream and drop the old one. The first event is always Welcome, at once and without
        /// > any traffic. Then each interest gets Subscribed or Rejected, in the order of the request; nothing of an interest
        /// > arrives before its Subscribed. A client SHOULD hold one stream for all its interests.
        ///
        /// - Parameters:
        ///   - request: A request containing a single `Poke_V1_SubscribeRequest` message.
        ///   - serializer: A serializer for `Poke_V1_SubscribeRequest` messages.
        ///   - deserializer: A deserializer for `Poke_V1_SubscribeResponse` messages.
        ///   - options: Options to apply to this RPC.
        ///   - handleResponse: A closure which handles the response, the result of which is
        ///       returned to the caller. Returning from the closure will cancel the RPC if it
        ///       hasn't already finished.
        /// - Returns: The result of `handleResponse`.
        func subscribe<Result>(
            request: GRPCCore.ClientRequest<Poke_V1_SubscribeRequest>,
            serializer: some GRPCCore.MessageSerializer<Poke_V1_SubscribeRequest>,
            deserializer: some GRPCCore.MessageDeserializer<Poke_V1_SubscribeResponse>,
            options: GRPCCore.CallOptions,
            onResponse handleResponse: @Sendable @escaping (GRPCCore.StreamingClientResponse<Poke_V1_SubscribeResponse>) async throws -> Result
        ) async throws -> Result where Result: Sendable

        /// Call the "EndInterest" method.
        ///
        /// > Source IDL Documentation:
        /// >
        /// > EndInterest tells all subscribers of an interest that there is no more.
        /// > 
        /// > It is idempotent: the first call's data wins, and repeats return the first position. Once it has answered OK,
        /// > Publish to the interest is refused on every node (INTEREST_ENDED) for the retention window; a Publish that races
        /// > with it either precedes the end or is refused. A subscriber who comes late gets Ended at once. After the window the
        /// > interest can be used afresh, and positions from before the end are answered by a Gap.
        ///
        /// - Parameters:
        ///   - request: A request containing a single `Poke_V1_EndInterestRequest` message.
        ///   - serializer: A serializer for `Poke_V1_EndInterestRequest` messages.
        ///   - deserializer: A deserializer for `Poke_V1_EndInterestResponse` messages.
        ///   - options: Options to apply to this RPC.
        ///   - handleResponse: A closure which handles the response, the result of which is
        ///       returned to the caller. Returning from the closure will cancel the RPC if it
        ///       hasn't already finished.
        /// - Returns: The result of `handleResponse`.
        func endInterest<Result>(
            request: GRPCCore.ClientRequest<Poke_V1_EndInterestRequest>,
            serializer: some GRPCCore.MessageSerializer<Poke_V1_EndInterestRequest>,
            deserializer: some GRPCCore.MessageDeserializer<Poke_V1_EndInterestResponse>,
            options: GRPCCore.CallOptions,
            onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_EndInterestResponse>) async throws -> Result
        ) async throws -> Result where Result: Sendable
    }

    /// Generated client for the "poke.v1.PokeService" service.
    ///
    /// The ``Client`` provides an implementation of ``ClientProtocol`` which wraps
    /// a `GRPCCore.GRPCCClient`. The underlying `GRPCClient` provides the long-lived
    /// means of communication with the remote peer.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > PokeService sends pokes and delivers them.
    /// > 
    /// > It speaks gRPC, gRPC-Web and Connect on one port. The unary methods also take plain JSON over HTTP POST
    /// > (`content-type: application/json`), so that `curl` needs no library, and Connect's streams come in protobuf or JSON
    /// > (`application/connect+proto`, `application/connect+json`).
    public struct Client<Transport>: ClientProtocol where Transport: GRPCCore.ClientTransport {
        private let client: GRPCCore.GRPCClient<Transport>

        /// Creates a new client wrapping the provided `GRPCCore.GRPCClient`.
        ///
        /// - Parameters:
        ///   - client: A `GRPCCore.GRPCClient` providing a communication channel to the service.
        public init(wrapping client: GRPCCore.GRPCClient<Transport>) {
            self.client = client
        }

        /// Call the "Publish" method.
        ///
        /// > Source IDL Documentation:
        /// >
        /// > Publish sends one poke to everyone who holds its interest at this moment, and retains it for those who come back.
        /// > 
        /// > OK means accepted: the poke has its place in the log, and each subscriber sees it or a Gap. Publish never waits for
        /// > a subscriber. After UNAVAILABLE or DEADLINE_EXCEEDED the outcome is unknown: retry with the same idempotency_key.
        ///
        /// - Parameters:
        ///   - request: A request containing a single `Poke_V1_PublishRequest` message.
        ///   - serializer: A serializer for `Poke_V1_PublishRequest` messages.
        ///   - deserializer: A deserializer for `Poke_V1_PublishResponse` messages.
        ///   - options: Options to apply to this RPC.
        ///   - handleResponse: A closure which handles the response, the result of which is
        ///       returned to the caller. Returning from the closure will cancel the RPC if it
        ///       hasn't already finished.
        /// - Returns: The result of `handleResponse`.
        public func publish<Result>(
            request: GRPCCore.ClientRequest<Poke_V1_PublishRequest>,
            serializer: some GRPCCore.MessageSerializer<Poke_V1_PublishRequest>,
            deserializer: some GRPCCore.MessageDeserializer<Poke_V1_PublishResponse>,
            options: GRPCCore.CallOptions = .defaults,
            onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_PublishResponse>) async throws -> Result = { response in
                try response.message
            }
        ) async throws -> Result where Result: Sendable {
            try await self.client.unary(
                request: request,
                descriptor: Poke_V1_PokeService.Method.Publish.descriptor,
                serializer: serializer,
                deserializer: deserializer,
                options: options,
                onResponse: handleResponse
            )
        }

        /// Call the "Subscribe" method.
        ///
        /// > Source IDL Documentation:
        /// >
        /// > Subscribe opens a stream of events for a set of interests.
        /// > 
        /// > The set can't change: open a new stream and drop the old one. The first event is always Welcome, at once and without
        /// > any traffic. Then each interest gets Subscribed or Rejected, in the order of the request; nothing of an interest
        /// > arrives before its Subscribed. A client SHOULD hold one stream for all its interests.
        ///
        /// - Parameters:
        ///   - request: A request containing a single `Poke_V1_SubscribeRequest` message.
        ///   - serializer: A serializer for `Poke_V1_SubscribeRequest` messages.
        ///   - deserializer: A deserializer for `Poke_V1_SubscribeResponse` messages.
        ///   - options: Options to apply to this RPC.
        ///   - handleResponse: A closure which handles the response, the result of which is
        ///       returned to the caller. Returning from the closure will cancel the RPC if it
        ///       hasn't already finished.
        /// - Returns: The result of `handleResponse`.
        public func subscribe<Result>(
            request: GRPCCore.ClientRequest<Poke_V1_SubscribeRequest>,
            serializer: some GRPCCore.MessageSerializer<Poke_V1_SubscribeRequest>,
            deserializer: some GRPCCore.MessageDeserializer<Poke_V1_SubscribeResponse>,
            options: GRPCCore.CallOptions = .defaults,
            onResponse handleResponse: @Sendable @escaping (GRPCCore.StreamingClientResponse<Poke_V1_SubscribeResponse>) async throws -> Result
        ) async throws -> Result where Result: Sendable {
            try await self.client.serverStreaming(
                request: request,
                descriptor: Poke_V1_PokeService.Method.Subscribe.descriptor,
                serializer: serializer,
                deserializer: deserializer,
                options: options,
                onResponse: handleResponse
            )
        }

        /// Call the "EndInterest" method.
        ///
        /// > Source IDL Documentation:
        /// >
        /// > EndInterest tells all subscribers of an interest that there is no more.
        /// > 
        /// > It is idempotent: the first call's data wins, and repeats return the first position. Once it has answered OK,
        /// > Publish to the interest is refused on every node (INTEREST_ENDED) for the retention window; a Publish that races
        /// > with it either precedes the end or is refused. A subscriber who comes late gets Ended at once. After the window the
        /// > interest can be used afresh, and positions from before the end are answered by a Gap.
        ///
        /// - Parameters:
        ///   - request: A request containing a single `Poke_V1_EndInterestRequest` message.
        ///   - serializer: A serializer for `Poke_V1_EndInterestRequest` messages.
        ///   - deserializer: A deserializer for `Poke_V1_EndInterestResponse` messages.
        ///   - options: Options to apply to this RPC.
        ///   - handleResponse: A closure which handles the response, the result of which is
        ///       returned to the caller. Returning from the closure will cancel the RPC if it
        ///       hasn't already finished.
        /// - Returns: The result of `handleResponse`.
        public func endInterest<Result>(
            request: GRPCCore.ClientRequest<Poke_V1_EndInterestRequest>,
            serializer: some GRPCCore.MessageSerializer<Poke_V1_EndInterestRequest>,
            deserializer: some GRPCCore.MessageDeserializer<Poke_V1_EndInterestResponse>,
            options: GRPCCore.CallOptions = .defaults,
            onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_EndInterestResponse>) async throws -> Result = { response in
                try response.message
            }
        ) async throws -> Result where Result: Sendable {
            try await self.client.unary(
                request: request,
                descriptor: Poke_V1_PokeService.Method.EndInterest.descriptor,
                serializer: serializer,
                deserializer: deserializer,
                options: options,
                onResponse: handleResponse
            )
        }
    }
}

// Helpers providing default arguments to 'ClientProtocol' methods.
@available(macOS 15.0, iOS 18.0, watchOS 11.0, tvOS 18.0, visionOS 2.0, *)
extension Poke_V1_PokeService.ClientProtocol {
    /// Call the "Publish" method.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > Publish sends one poke to everyone who holds its interest at this moment, and retains it for those who come back.
    /// > 
    /// > OK means accepted: the poke has its place in the log, and each subscriber sees it or a Gap. Publish never waits for
    /// > a subscriber. After UNAVAILABLE or DEADLINE_EXCEEDED the outcome is unknown: retry with the same idempotency_key.
    ///
    /// - Parameters:
    ///   - request: A request containing a single `Poke_V1_PublishRequest` message.
    ///   - options: Options to apply to this RPC.
    ///   - handleResponse: A closure which handles the response, the result of which is
    ///       returned to the caller. Returning from the closure will cancel the RPC if it
    ///       hasn't already finished.
    /// - Returns: The result of `handleResponse`.
    public func publish<Result>(
        request: GRPCCore.ClientRequest<Poke_V1_PublishRequest>,
        options: GRPCCore.CallOptions = .defaults,
        onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_PublishResponse>) async throws -> Result = { response in
            try response.message
        }
    ) async throws -> Result where Result: Sendable {
        try await self.publish(
            request: request,
            serializer: GRPCProtobuf.ProtobufSerializer<Poke_V1_PublishRequest>(),
            deserializer: GRPCProtobuf.ProtobufDeserializer<Poke_V1_PublishResponse>(),
            options: options,
            onResponse: handleResponse
        )
    }

    /// Call the "Subscribe" method.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > Subscribe opens a stream of events for a set of interests.
    /// > 
    /// > The set can't change: open a new stream and drop the old one. The first event is always Welcome, at once and without
    /// > any traffic. Then each interest gets Subscribed or Rejected, in the order of the request; nothing of an interest
    /// > arrives before its Subscribed. A client SHOULD hold one stream for all its interests.
    ///
    /// - Parameters:
    ///   - request: A request containing a single `Poke_V1_SubscribeRequest` message.
    ///   - options: Options to apply to this RPC.
    ///   - handleResponse: A closure which handles the response, the result of which is
    ///       returned to the caller. Returning from the closure will cancel the RPC if it
    ///       hasn't already finished.
    /// - Returns: The result of `handleResponse`.
    public func subscribe<Result>(
        request: GRPCCore.ClientRequest<Poke_V1_SubscribeRequest>,
        options: GRPCCore.CallOptions = .defaults,
        onResponse handleResponse: @Sendable @escaping (GRPCCore.StreamingClientResponse<Poke_V1_SubscribeResponse>) async throws -> Result
    ) async throws -> Result where Result: Sendable {
        try await self.subscribe(
            request: request,
            serializer: GRPCProtobuf.ProtobufSerializer<Poke_V1_SubscribeRequest>(),
            deserializer: GRPCProtobuf.ProtobufDeserializer<Poke_V1_SubscribeResponse>(),
            options: options,
            onResponse: handleResponse
        )
    }

    /// Call the "EndInterest" method.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > EndInterest tells all subscribers of an interest that there is no more.
    /// > 
    /// > It is idempotent: the first call's data wins, and repeats return the first position. Once it has answered OK,
    /// > Publish to the interest is refused on every node (INTEREST_ENDED) for the retention window; a Publish that races
    /// > with it either precedes the end or is refused. A subscriber who comes late gets Ended at once. After the window the
    /// > interest can be used afresh, and positions from before the end are answered by a Gap.
    ///
    /// - Parameters:
    ///   - request: A request containing a single `Poke_V1_EndInterestRequest` message.
    ///   - options: Options to apply to this RPC.
    ///   - handleResponse: A closure which handles the response, the result of which is
    ///       returned to the caller. Returning from the closure will cancel the RPC if it
    ///       hasn't already finished.
    /// - Returns: The result of `handleResponse`.
    public func endInterest<Result>(
        request: GRPCCore.ClientRequest<Poke_V1_EndInterestRequest>,
        options: GRPCCore.CallOptions = .defaults,
        onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_EndInterestResponse>) async throws -> Result = { response in
            try response.message
        }
    ) async throws -> Result where Result: Sendable {
        try await self.endInterest(
            request: request,
            serializer: GRPCProtobuf.ProtobufSerializer<Poke_V1_EndInterestRequest>(),
            deserializer: GRPCProtobuf.ProtobufDeserializer<Poke_V1_EndInterestResponse>(),
            options: options,
            onResponse: handleResponse
        )
    }
}

// Helpers providing sugared APIs for 'ClientProtocol' methods.
@available(macOS 15.0, iOS 18.0, watchOS 11.0, tvOS 18.0, visionOS 2.0, *)
extension Poke_V1_PokeService.ClientProtocol {
    /// Call the "Publish" method.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > Publish sends one poke to everyone who holds its interest at this moment, and retains it for those who come back.
    /// > 
    /// > OK means accepted: the poke has its place in the log, and each subscriber sees it or a Gap. Publish never waits for
    /// > a subscriber. After UNAVAILABLE or DEADLINE_EXCEEDED the outcome is unknown: retry with the same idempotency_key.
    ///
    /// - Parameters:
    ///   - message: request message to send.
    ///   - metadata: Additional metadata to send, defaults to empty.
    ///   - options: Options to apply to this RPC, defaults to `.defaults`.
    ///   - handleResponse: A closure which handles the response, the result of which is
    ///       returned to the caller. Returning from the closure will cancel the RPC if it
    ///       hasn't already finished.
    /// - Returns: The result of `handleResponse`.
    public func publish<Result>(
        _ message: Poke_V1_PublishRequest,
        metadata: GRPCCore.Metadata = [:],
        options: GRPCCore.CallOptions = .defaults,
        onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_PublishResponse>) async throws -> Result = { response in
            try response.message
        }
    ) async throws -> Result where Result: Sendable {
        let request = GRPCCore.ClientRequest<Poke_V1_PublishRequest>(
            message: message,
            metadata: metadata
        )
        return try await self.publish(
            request: request,
            options: options,
            onResponse: handleResponse
        )
    }

    /// Call the "Subscribe" method.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > Subscribe opens a stream of events for a set of interests.
    /// > 
    /// > The set can't change: open a new stream and drop the old one. The first event is always Welcome, at once and without
    /// > any traffic. Then each interest gets Subscribed or Rejected, in the order of the request; nothing of an interest
    /// > arrives before its Subscribed. A client SHOULD hold one stream for all its interests.
    ///
    /// - Parameters:
    ///   - message: request message to send.
    ///   - metadata: Additional metadata to send, defaults to empty.
    ///   - options: Options to apply to this RPC, defaults to `.defaults`.
    ///   - handleResponse: A closure which handles the response, the result of which is
    ///       returned to the caller. Returning from the closure will cancel the RPC if it
    ///       hasn't already finished.
    /// - Returns: The result of `handleResponse`.
    public func subscribe<Result>(
        _ message: Poke_V1_SubscribeRequest,
        metadata: GRPCCore.Metadata = [:],
        options: GRPCCore.CallOptions = .defaults,
        onResponse handleResponse: @Sendable @escaping (GRPCCore.StreamingClientResponse<Poke_V1_SubscribeResponse>) async throws -> Result
    ) async throws -> Result where Result: Sendable {
        let request = GRPCCore.ClientRequest<Poke_V1_SubscribeRequest>(
            message: message,
            metadata: metadata
        )
        return try await self.subscribe(
            request: request,
            options: options,
            onResponse: handleResponse
        )
    }

    /// Call the "EndInterest" method.
    ///
    /// > Source IDL Documentation:
    /// >
    /// > EndInterest tells all subscribers of an interest that there is no more.
    /// > 
    /// > It is idempotent: the first call's data wins, and repeats return the first position. Once it has answered OK,
    /// > Publish to the interest is refused on every node (INTEREST_ENDED) for the retention window; a Publish that races
    /// > with it either precedes the end or is refused. A subscriber who comes late gets Ended at once. After the window the
    /// > interest can be used afresh, and positions from before the end are answered by a Gap.
    ///
    /// - Parameters:
    ///   - message: request message to send.
    ///   - metadata: Additional metadata to send, defaults to empty.
    ///   - options: Options to apply to this RPC, defaults to `.defaults`.
    ///   - handleResponse: A closure which handles the response, the result of which is
    ///       returned to the caller. Returning from the closure will cancel the RPC if it
    ///       hasn't already finished.
    /// - Returns: The result of `handleResponse`.
    public func endInterest<Result>(
        _ message: Poke_V1_EndInterestRequest,
        metadata: GRPCCore.Metadata = [:],
        options: GRPCCore.CallOptions = .defaults,
        onResponse handleResponse: @Sendable @escaping (GRPCCore.ClientResponse<Poke_V1_EndInterestResponse>) async throws -> Result = { response in
            try response.message
        }
    ) async throws -> Result where Result: Sendable {
        let request = GRPCCore.ClientRequest<Poke_V1_EndInterestRequest>(
            message: message,
            metadata: metadata
        )
        return try await self.endInterest(
            request: request,
            options: options,
            onResponse: handleResponse
        )
    }
}