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
    private var fetch: Task<String, any Error>?

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
            let fetch = self.fetch ?? Task { try await provider() }
            self.fetch = fetch
            let result = await fetch.result
            if self.fetch == fetch {
                self.fetch = nil
                if let token = try? result.get() { newest = (token, now()) }
            }
            if case .failure(let error) = result { throw Failure.retry(PokeError(.token, "no token", cause: error)) }
        }
    }

    private func bearer(_ token: String) throws -> Metadata {
        guard token.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw Failure.giveUp(PokeError(.config, "the token can't be sent as a header"))
        }
        return ["authorization": "Bearer \(token)"]
    }
}
