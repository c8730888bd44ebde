import GRPCCore
import SwiftProtobuf

extension PokeClient {
    /// The key, or else 128 random bits: a retry is recognised, and no two senders make the same. An empty key is none, and without
    /// one a second attempt could be a second poke.
    static func orRandom(_ key: String?) -> String {
        if let key, !key.isEmpty { key } else { String(UInt128.random(in: .min ... .max), radix: 16) }
    }

    /// Calls until there is an answer, a final refusal, or no time left.
    func call<Request: SwiftProtobuf.Message, Response: SwiftProtobuf.Message>(
        _ method: MethodDescriptor, _ request: Request, _ deadline: Duration
    ) async throws -> Response {
        let endsAt = now() + deadline.bounded
        var backoff = Backoff()
        var retriedAtOnce = false
        while true {
            // Half of what is left: a connection that swallows the first attempt leaves time for another.
            let left = endsAt - now()
            let patience = min(max(left / 2, Numbers.shortestAttempt), left)
            let connection = try connector.current()
            let failure: Failure
            do {
                return try await attempt(patience) { metadata, timeout in
                    try await connection.unary(method, request, metadata, timeout: timeout)
                }
            } catch { failure = Failure(error) }
            try Task.checkCancellation()

            let delay: Duration
            switch failure.remedy {
            case .giveUp, .refreshToken: throw failure.error
            case .retry where failure.error.kind == .tls: throw failure.error
            case .retryAtOnce where !retriedAtOnce: (delay, retriedAtOnce) = (.zero, true)
            case .retry, .retryAtOnce: delay = (failure.error.retryAfter ?? .zero) + backoff.next(dice: uniform)
            }
            if now() + delay >= endsAt { throw failure.error }
            if failure.isFromElsewhere { connector.retire(connection) }
            try await Task.sleep(for: delay)
        }
    }

    /// Calls once, or a second time with a new token if the first one is no longer accepted.
    private func attempt<R>(_ patience: Duration, _ call: (Metadata, Duration) async throws -> R) async throws -> R {
        let endsAt = now() + patience
        func left() -> Duration { max(.milliseconds(1), endsAt - now()) }
        let first = try await metadata(within: left())
        let called = now()
        do { return try await call(first, left()) } catch {
            let failure = Failure(error)
            guard failure.remedy == .refreshToken, tokens.canRefresh else { throw failure.onceOnly }
        }
        let renewed = try await metadata(stale: called, within: left())
        do { return try await call(renewed, left()) } catch { throw Failure(error).onceOnly }
    }

    /// A token that doesn't come in time is none.
    private func metadata(stale: Moment? = nil, within patience: Duration) async throws -> Metadata {
        guard tokens.canRefresh else { return try await tokens.metadata() }
        return try await withThrowingTaskGroup(of: Metadata.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.tokens.metadata(stale: stale) }
            group.addTask {
                try await Task.sleep(for: patience)
                throw Failure.retry(PokeError(.token, "no token in time"))
            }
            return try await group.next()!
        }
    }
}
