import GRPCCore
import Testing

@testable import MulticastPoke

/// How long a client waits. All dice show the largest number.
@Suite struct BackoffTests {
    @Test func theBoundDoublesFromHalfASecondToThirty() {
        var backoff = Backoff()
        #expect(
            (0..<9).map { _ in backoff.next { $0 } / .milliseconds(1) } == [
                500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
            ])
        backoff.reset()
        #expect(backoff.next { $0 } == Numbers.backoffMin)
    }

    @Test func withLittleTimeLeftTheWaitsFitIntoIt() {
        var backoff = Backoff()
        var left = 20 * second
        var waits: [Int] = []
        while left > .zero {
            let wait = backoff.next(before: left) { $0 }
            waits.append(Int(wait / .milliseconds(1)))
            left -= wait
        }
        #expect(waits == [500, 1000, 2000, 4000, 6250, 3125, 1562, 781, 500, 500])
    }

    @Test func theFirstRetryAfterAnUnannouncedLossIsSpreadAndTheNextBackOff() throws {
        let rig = try Rig()
        rig.goLive()
        #expect(rig.lose() == 5 * second)
        #expect(rig.lose() == second)
        #expect(rig.lose() == 2 * second)
    }

    @Test func beforeTheFirstWelcomeThereIsNoSpread() throws {
        let rig = try Rig()
        #expect(rig.lose() == second / 2)
        #expect(rig.lose() == second)
    }

    @Test func backoffStartsAgainOnlyAfterThirtySecondsLive() throws {
        let rig = try Rig()
        for wait in [5, 1, 2, 4, 8, 16, 30, 30] {
            rig.goLive()
            rig.now += 29 * second
            #expect(rig.lose() == wait * second)
        }
        rig.goLive()
        rig.now += 30 * second
        #expect(rig.lose() == 5 * second)
    }

    @Test func anAnnouncedLossIsSpreadAfterRetryInfoAndForgetsEarlierFailures() throws {
        let rig = try Rig()
        for wait in [5, 1, 2] {
            rig.goLive()
            #expect(rig.lose() == wait * second)
        }
        rig.goLive()
        rig.say(reconnect(9, 9, 60))
        #expect(rig.lose(refusal(.unavailable, retry: second)) == 6 * second)
        #expect(rig.lose() == second)
    }

    @Test func movesThatFailWhileTheOldStreamLivesDoNotDelayTheReturnAfterIt() throws {
        let rig = try Rig()
        rig.goLive()
        rig.say(reconnect(0, 0, 24))
        rig.openedAfter()
        let closesAt = rig.now + 24 * second
        var attempts = 1
        while true {
            rig.state.onEnd(rig.now, rig.state.newestID, Failure(lost))
            if let deadline = rig.state.deadline, deadline >= closesAt { break }
            rig.openedAfter()
            attempts += 1
        }
        #expect((8..<20).contains(attempts))
        rig.now = closesAt
        rig.state.onEnd(rig.now, 1, Failure(refusal(.unavailable, retry: second)))
        #expect(rig.openedAfter() == 6 * second, "RetryInfo and the spread")
        #expect(rig.lose() == second)
    }

    @Test func aStreamThatOutlivesWhatItSaidIsLeftAtTheOrdinaryPace() throws {
        let rig = try Rig()
        rig.goLive()
        rig.say(reconnect(0, 0, 1))
        rig.openedAfter()
        rig.now += 2 * second
        #expect((0..<6).map { _ in rig.lose() / .milliseconds(1) } == [500, 1000, 2000, 4000, 8000, 16_000])
    }

    @Test func retryInfoComesOnTopOfTheBackoff() throws {
        let rig = try Rig()
        rig.goLive()
        #expect(rig.lose(refusal(.aborted, retry: 3 * second)) == 3 * second + second / 2)
        #expect(rig.lose(refusal(.aborted, retry: 3 * second)) == 4 * second)
    }

    @Test func aRetryDelayOfAgesOverflowsNothing() throws {
        let rig = try Rig()
        rig.state.onEnd(rig.now, 1, Failure(refusal(.unavailable, retry: .seconds(Int64(UInt32.max) * 1000))))
        #expect(try #require(rig.state.deadline) < .seconds(48 * 3600))
    }
}
