import Synchronization
import Testing

@testable import MulticastPoke

/// What holds for calls whatever the server does.
@Suite struct SendingTests {
    private func unreachable(_ provider: @escaping @Sendable () async throws -> String) throws -> PokeClient {
        try PokeClient("http://127.0.0.1:9", tokenProvider: provider)
    }

    @Test func aProviderThatNeverAnswersHoldsNoPublishBeyondItsDeadline() async throws {
        let client = try unreachable {
            try await Task.sleep(for: .seconds(600))
            return "late"
        }
        let begun = ContinuousClock.now
        await #expect { try await client.publish("D", "a", deadline: .seconds(1)) } throws: { ($0 as? PokeError)?.kind == .token }
        #expect(ContinuousClock.now - begun < .seconds(5))
    }

    @Test func whoeverWaitsForATokenCanBeCancelledAndTheNextAsksAnew() async throws {
        let fetches = Atomic(0)
        let provider: @Sendable () async throws -> String = {
            if fetches.add(1, ordering: .relaxed).newValue > 1 { return "second" }
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
            return "never"
        }
        let tokens = Tokens(.provided(provider), now: { .zero })
        let waiting = Task { try await tokens.metadata() }
        while fetches.load(ordering: .relaxed) == 0 { await Task.yield() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(Array(try await tokens.metadata()[stringValues: "authorization"]) == ["Bearer second"])
    }

    @Test func aClosedClientSendsNothing() async throws {
        let client = try PokeClient("http://127.0.0.1:9")
        client.close()
        await #expect { try await client.publish("D", "a") } throws: { ($0 as? PokeError)?.kind == .closed }
    }

    @Test func anEmptyKeyIsNone() {
        #expect(PokeClient.orRandom("k") == "k")
        #expect(!PokeClient.orRandom("").isEmpty && PokeClient.orRandom("") != PokeClient.orRandom(nil))
    }
}
