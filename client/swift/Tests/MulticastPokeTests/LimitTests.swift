import GRPCCore
import Testing

@testable import MulticastPoke

private let b = Interest("D", "b")
private let c = Interest("D", "c")
private let d = Interest("D", "d")

/// More interests than a stream may have: the surplus waits, and harms nobody.
@Suite struct LimitTests {
    @Test func of102InterestsTwoWaitAndTheOthersAreLive() throws {
        let many = (100..<202).map { Interest("D", String($0)) }
        let rig = Rig(unopened: many)
        let request = rig.nextRequest()
        #expect(request?.subscriptions.map(\.interest.filter) == many.prefix(100).map(\.filter))
        rig.goLive(Array(many.prefix(100)), at: 0)
        let told = rig.told()
        #expect(told.prefix(2) == ["rejected 200 for now", "rejected 201 for now"])
        #expect(told.count == 102)
        rig.remove(many[50])
        let next = rig.nextRequest()?.subscriptions.map(\.interest.filter) ?? []
        #expect(next.count == 100 && next.contains("200") && !next.contains("201"))
    }

    @Test func aServerThatAcceptsMoreThanWasAssumedGetsAll() throws {
        let many = (100..<202).map { Interest("D", String($0)) }
        let rig = Rig(unopened: many)
        _ = rig.nextRequest()
        rig.say(welcome(maxInterests: 500))
        for interest in many.prefix(100) { rig.say(live(interest, 0)) }
        #expect(!rig.told().contains { $0.hasPrefix("rejected") })
        #expect(rig.nextRequest()?.subscriptions.count == 102)
    }

    @Test func whatIsAddedOverTheLimitWaitsForRoom() throws {
        let rig = try Rig([a, b])
        rig.say(welcome(maxInterests: 2))
        for interest in [a, b] { rig.say(live(interest, 1)) }
        for interest in [d, c] { try rig.state.add(rig.now, rig.reader, interest, start: .new) }
        #expect(rig.told() == ["live a recovered", "live b recovered", "rejected d for now", "rejected c for now"])
        rig.say(ended(a, 5))
        #expect(rig.nextRequest()?.subscriptions.map(\.interest.filter) == ["b", "d"])
        rig.say(welcome(maxInterests: 2))
        for interest in [b, d] { rig.say(live(interest, 6)) }
        rig.say(rejected(b))
        #expect(rig.nextRequest()?.subscriptions.map(\.interest.filter) == ["d", "c"])
        #expect(rig.told() == ["ended a", "live d recovered", "rejected b final"])
    }

    @Test func whenAllThatACallHadIsOverWhatWaitsIsAskedForAtOnce() throws {
        for finish in [ended(a, 5), rejected(a)] {
            let rig = try Rig([a])
            rig.say(welcome(maxInterests: 1))
            rig.say(live(a, 1))
            try rig.state.add(rig.now, rig.reader, b, start: .new)
            _ = rig.told()
            rig.now += 10 * second
            let before = rig.now
            rig.say(finish)
            rig.state.onClose(rig.now, rig.state.newestID)
            #expect(rig.nextRequest()?.subscriptions.map(\.interest.filter) == ["b"])
            #expect(rig.now - before == Numbers.coalesce)
            _ = rig.pop()
            #expect(rig.pop() == nil, "no loss is told")
        }
    }

    @Test func aServerWithALowerLimitIsAskedAgainAtOnceAndPositionsAreKept() throws {
        let rig = try Rig([a, b, c])
        rig.say(welcome(maxInterests: 3))
        for interest in [a, b, c] { rig.say(live(interest, 1)) }
        rig.say(poke(c, 7))
        _ = rig.told()
        _ = rig.lose()
        let before = rig.now
        rig.state.onEnd(rig.now, rig.state.newestID, Failure(tooMany(limit: "2")))
        #expect(rig.nextRequest()?.subscriptions.map(\.interest.filter) == ["a", "b"])
        #expect(rig.now == before)
        rig.say(welcome(maxInterests: 3))
        for interest in [a, b] { rig.say(live(interest, 8)) }
        #expect(rig.told() == ["rejected c for now", "live a recovered", "live b recovered"])
        let request = rig.nextRequest()
        #expect(request?.subscriptions.map(\.interest.filter) == ["a", "b", "c"])
        #expect(request?.subscriptions.last?.after.sequence == 7)
    }

    @Test func aMoveToAServerWithALowerLimitIsTriedAgainAtOnceBesideTheStreamThatLives() throws {
        let rig = try Rig([a, b, c])
        rig.say(welcome(maxInterests: 3))
        for interest in [a, b, c] { rig.say(live(interest, 1)) }
        let old = rig.state.newestID
        rig.say(poke(c, 7))
        rig.say(reconnect(0, 0, 30))
        #expect(rig.nextRequest()?.subscriptions.count == 3)
        _ = rig.told()
        let before = rig.now
        rig.state.onEnd(rig.now, rig.state.newestID, Failure(tooMany(limit: "2")))
        #expect(rig.nextRequest()?.subscriptions.map(\.interest.filter) == ["a", "b"])
        #expect(rig.now == before)
        for interest in [a, c] { rig.say(poke(interest, 9), on: old) }
        #expect(rig.told() == ["rejected c for now", "poke a 9"], "the poke of c comes later, after its position")
        rig.goLive([b, a], at: 9)
        rig.remove(a)
        #expect(rig.nextRequest()?.subscriptions.map(\.after.sequence) == [9, 7])
    }

    @Test func aWelcomeWithALowerLimitTakesInterestsOffTheStream() throws {
        let rig = try Rig([a, b])
        rig.goLive([a, b])
        rig.say(reconnect(0, 0, 30))
        _ = rig.nextRequest()
        _ = rig.told()
        rig.say(welcome(maxInterests: 1))
        for interest in [a, b] { rig.say(live(interest, 2)) }
        rig.say(poke(b, 3))
        #expect(rig.told() == ["rejected b for now"])
        #expect(rig.nextRequest()?.subscriptions.map(\.interest.filter) == ["a"])
    }

    @Test func aSecondLoopIsToldAsWellAndRoomIsForBoth() throws {
        let rig = try Rig([a])
        rig.say(welcome(maxInterests: 1))
        rig.say(live(a, 1))
        try rig.state.add(rig.now, rig.reader, b, start: .new)
        rig.state.join(2)
        try rig.state.add(rig.now, 2, b, start: .new)
        #expect(rig.told(2) == ["rejected b for now"])
        rig.remove(a)
        _ = rig.nextRequest()
        rig.goLive([b], at: 5)
        #expect(rig.told().last == "live b recovered")
        #expect(rig.told(2) == ["live b recovered"])
    }

    @Test func whatIsRefusedForAWhileKeepsItsPlace() throws {
        let rig = try Rig([a, b])
        rig.say(welcome(maxInterests: 2))
        rig.say(live(a, 1))
        rig.say(rejected(b, retry: 20 * second))
        try rig.state.add(rig.now, rig.reader, c, start: .new)
        #expect(rig.told() == ["live a recovered", "rejected b for now", "rejected c for now"])
        #expect(rig.nextRequest()?.subscriptions.map(\.interest.filter) == ["a", "b"])
    }

    @Test func aLimitThatLetsNothingThroughIsFinal() throws {
        for limit in ["0", "1", "-1", "many", nil] {
            let rig = try Rig()
            rig.state.onEnd(rig.now, rig.state.newestID, Failure(tooMany(limit: limit)))
            #expect(rig.told() == ["failed INVALID_ARGUMENT", "over"])
        }
    }
}

/// A loop that was refused doesn't end in silence.
@Suite struct EndingTests {
    @Test func theOrderOfEndsAndRefusalsDoesNotMatter() throws {
        for refusedFirst in [true, false] {
            let rig = try Rig([a, b])
            rig.goLive([a, b])
            _ = rig.told()
            if refusedFirst {
                rig.say(rejected(a))
                rig.say(ended(b, 5))
            } else {
                rig.say(ended(b, 5))
                rig.say(rejected(a))
            }
            #expect(rig.told().suffix(2) == ["failed NOT_FOUND", "over"])
        }
    }

    @Test func whoHandlesARefusalGetsANormalEnd() throws {
        let rig = try Rig()
        rig.say(rejected(a))
        guard case .event(.rejected(let event)) = rig.state.pop(rig.now, rig.reader) else {
            Issue.record("it was not told")
            return
        }
        event.markHandled()
        #expect(rig.told() == ["over"])
    }

    @Test func theErrorSaysWhatWasRefusedAndWhy() throws {
        let rig = try Rig([a, b, c])
        for interest in [a, b, c] { rig.say(rejected(interest)) }
        guard case .event(.rejected(let first)) = rig.state.pop(rig.now, rig.reader) else {
            Issue.record("it was not told")
            return
        }
        first.markHandled()
        #expect([rig.pop(), rig.pop()] == ["rejected b final", "rejected c final"])
        guard case .failed(let error) = rig.state.pop(rig.now, rig.reader) else {
            Issue.record("the loop has ended in silence")
            return
        }
        #expect(error.kind == .refused && error.code == "NOT_FOUND" && error.reason == "R")
        #expect(error.message.contains(#""D" "b""#) && error.rejected.map(\.interest) == [b, c])
        #expect(rig.pop() == "over")
    }

    @Test func eachLoopHandlesARefusalForItself() throws {
        let rig = try Rig()
        rig.state.join(2)
        try rig.state.add(rig.now, 2, a, start: .new)
        rig.say(rejected(a))
        guard case .event(.rejected(let event)) = rig.state.pop(rig.now, rig.reader) else {
            Issue.record("it was not told")
            return
        }
        event.markHandled()
        #expect(rig.told() == ["over"])
        #expect(rig.told(2) == ["rejected a final", "failed NOT_FOUND", "over"])
    }

    @Test func ofManyRefusalsTheOneThatIsNotHandledIsThrown() throws {
        let many = (100..<200).map { Interest("D", String($0)) }
        let rig = try Rig(many)
        for interest in many { rig.say(rejected(interest)) }
        var error: PokeError?
        while error == nil {
            switch rig.state.pop(rig.now, rig.reader) {
            case .event(.rejected(let event)): if event.interest != many.last { event.markHandled() }
            case .failed(let thrown): error = thrown
            case .event: break
            case .over, .none:
                Issue.record("the loop has ended in silence")
                return
            }
        }
        #expect(error?.rejected.map(\.interest) == Array(many.suffix(1)))
    }

    @Test func closingTheClientThrowsNothing() throws {
        let rig = try Rig([a, b])
        rig.say(rejected(a))
        rig.state.close()
        #expect(rig.told() == ["rejected a final", "over"])
    }

    @Test func whatWasRefusedAndThenAcceptedIsNoRefusal() throws {
        let rig = try Rig([a, b])
        rig.goLive([a, b])
        rig.say(rejected(a))
        try rig.state.add(rig.now, rig.reader, a, start: .new)
        #expect(rig.told().last == "rejected a final")
        _ = rig.nextRequest()
        rig.goLive([a, b])
        rig.say(ended(a, 8))
        rig.say(ended(b, 9))
        #expect(rig.told().suffix(3) == ["ended a", "ended b", "over"])
    }
}
