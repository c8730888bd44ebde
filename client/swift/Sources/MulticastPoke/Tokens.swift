import GRPCCore

/// Bearer tokens: one for ever, or from a provider that is asked again when one is no longer accepted.
actor Tokens {
    enum Source: Sendable {
        case none
        case fixed(String)
        case provided(@Sendable () async throws -> String)
    }

    private let source: Source
    private let now: @Sendable () -> Moment
    private var newest: (token: String, at: Moment)?
    /// While a token is fetched, so that all calls share one fetch.
    private var fetch: (task: Task<String, any Error>, waiters: Int)?

    /// Whether there can be another token than the one that was refused.
    nonisolated var canRefresh: Bool { if case .provided = source { true } else { false } }

    init(_ source: Source, now: @escaping @Sendable () -> Moment) {
        (self.source, self.now) = (source, now)
    }

    /// The metadata of a call. A token that was fetched at or before `stale` is fetched anew.
    func metadata(stale: Moment? = nil) async throws -> Metadata {
        switch source {
        case .none: [:]
        case .fixed(let token): try bearer(token)
        case .provided(let provider): try bearer(await token(provider, stale))
        }
    }

    private func token(_ provider: @escaping @Sendable () async throws -> String, _ stale: Moment?) async throws -> String {
        while true {
            if let newest, stale.map({ newest.at > $0 }) ?? true { return newest.token }
            let task = fetch?.task ?? Task { try await provider() }
            fetch = (task, (fetch?.waiters ?? 0) + 1)
            guard let result = await Self.result(of: task) else {
                giveUp(task)
                throw CancellationError()
            }
            if fetch?.task == task {
                fetch = nil
                if let token = try? result.get() { newest = (token, now()) }
            }
            if case .failure(let error) = result { throw Failure.retry(PokeError(.token, "no token", cause: error)) }
        }
    }

    /// `nil`: whoever waits for it was cancelled first. A provider may take its time with that, or never end.
    private static func result(of fetch: Task<String, any Error>) async -> Result<String, any Error>? {
        let (results, answer) = AsyncStream.makeStream(of: Result<String, any Error>.self)
        Task {
            answer.yield(await fetch.result)
            answer.finish()
        }
        return await results.first { _ in true }
    }

    /// A fetch that nobody waits for any more is cancelled, and the next call asks anew.
    private func giveUp(_ task: Task<String, any Error>) {
        guard let fetch, fetch.task == task else { return }
        if fetch.waiters > 1 {
            self.fetch = (task, fetch.waiters - 1)
        } else {
            self.fetch = nil
            task.cancel()
        }
    }

    private func bearer(_ token: String) throws -> Metadata {
        guard token.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw Failure.giveUp(PokeError(.config, "the token can't be sent as a header"))
        }
        return ["authorization": "Bearer \(token)"]
    }
}
