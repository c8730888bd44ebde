import GRPCCore
import SwiftProtobuf

extension PokeClient {
    /// 128 random bits: a retry is recognised, and no two senders make the same.
    static func randomKey() -> String {
        String(UInt128.random(in: .min ... .max), radix: 16)
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
        let begun = now()
        let metadata = try await tokens.metadata()
        let called = now()
        do { return try await call(metadata, patience) } catch {
            let failure = Failure(error)
            guard failure.remedy == .refreshToken, tokens.canRefresh else { throw failure.onceOnly }
        }
        let renewed = try await tokens.metadata(stale: called)
        do { return try await call(renewed, max(.milliseconds(1), patience - (now() - begun))) } catch {
            throw Failure(error).onceOnly
        }
    }
}
