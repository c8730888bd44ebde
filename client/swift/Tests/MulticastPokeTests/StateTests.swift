import PokeV1
import SwiftProtobuf
import Testing

@testable import MulticastPoke

private let b = Interest("D", "b")
private let c = Interest("D", "c")

/// What a program sees, whatever happens to the calls below.
@Suite struct StateTests {
    @Test func aMoveHappensWithinItsWindow() throws {
        let rig = try Rig()
        rig.goLive()
        rig.say(reconnect(2, 9, 60))
        guard case .retire(1) = rig.state.takeAction() else { return #expect(Bool(false), "the connection is retired") }
        #expect(rig.openedAfter() == 9 * second)
    }

    @Test func aFailedMoveIsTriedAgainWhileTheOldStreamLives() throws {
        let rig = try Rig()
        rig.goLive()
        rig.say(reconnect(1, 1, 60))
        rig.openedAfter()
        while rig.pop() != nil {}
        #expect(rig.lose() == second / 2)
        #expect(rig.lose() == second)
        #expect(rig.pop() == nil, "the user never hears of it")
        #expect(rig.state.calls.map(\.id).first == 1)
    }

    @Test func aWindowLongerThanTheStreamIsCutToIt() throws {
        let response = Poke_V1_SubscribeResponse.with {
            $0.reconnect.minDelay = Google_Protobuf_Duration(seconds: 50)
            $0.reconnect.maxDelay = Google_Protobuf_Duration(seconds: 100)
            $0.reconnect.closesAfter = Google_Protobuf_Duration(seconds: 30)
        }
        guard case .reconnect(let min, let max, _, _) = try StreamEvent(response) else { return #expect(Bool(false)) }
        #expect(min == 30 * second && max == 30 * second)
    }

    @Test func aMoveLosesNothingAndRepeatsNothing() throws {
        let rig = try Rig([a, b])
        rig.goLive([a, b], at: 0)
        rig.say(reconnect(1, 1, 60))
        rig.openedAfter()
        _ = rig.told()
        // The old stream goes on until the new one is live, interest by interest.
        rig.say(poke(a, 1), on: 1)
        rig.say(welcome(), on: 2)
        rig.say(live(a, 0), on: 2)
        rig.say(poke(a, 2), on: 1)
        rig.say(poke(b, 3), on: 1)
        rig.say(poke(a, 1), on: 2)
        rig.say(poke(a, 2), on: 2)
        #expect(rig.state.calls.map(\.id) == [1, 2])
        rig.say(live(b, 0), on: 2)
        #expect(rig.state.calls.map(\.id) == [2])
        rig.say(poke(b, 3), on: 2)
        rig.say(poke(b, 4), on: 2)
        #expect(rig.told() == ["poke a 1", "poke b 3", "poke a 2", "poke b 4"])
    }

    @Test func aMoveThatFailsHalfWayLosesNothing() throws {
        let rig = try Rig([a, b])
        rig.goLive([a, b], at: 0)
        rig.say(reconnect(0, 0, 60))
        rig.openedAfter()
        rig.say(welcome(), on: 2)
        rig.say(live(a, 0), on: 2)
        _ = rig.told()
        // Poke 1 comes on the old stream only, where it doesn't count any more.
        rig.say(poke(a, 1), on: 1)
        rig.say(.heartbeat(checkpoints: [at(1)]), on: 1)
        rig.say(poke(b, 2), on: 1)
        #expect(rig.told() == ["poke b 2"])
        rig.state.onEnd(rig.now, 2, Failure(lost))
        let request = try #require(
            { () -> Poke_V1_SubscribeRequest? in
                rig.now = max(rig.now, rig.state.deadline ?? .zero)
                rig.state.onTime(rig.now)
                return rig.opened()
            }())
        #expect(request.subscriptions.map(\.after.sequence) == [0, 2])
        rig.goLive([a], at: 0)
        rig.say(poke(a, 1))
        #expect(rig.told() == ["live a recovered", "poke a 1"])
    }

    @Test func aGapIsToldOnceAndItsStartIsNeverSaved() throws {
        let rig = try Rig(after: at(5, epoch: "old"))
        rig.say(welcome())
        rig.say(live(a, 3, .gap))
        #expect(!rig.state.calls[0].isSettled)
        // The call breaks before its gap: the loss must not be forgotten.
        #expect(rig.state.positions == [SavedPosition(a, at(5, epoch: "old"))])
        _ = rig.lose()
        rig.say(welcome())
        rig.say(live(a, 3, .gap))
        rig.say(.heartbeat(checkpoints: [at(9)]))
        rig.say(gap(a, .epochChanged, 3))
        rig.say(gap(a, .lagged, 2))
        rig.say(poke(a, 4))
        #expect(rig.told() == ["live a gap", "live a gap", "gap a epochChanged 3", "poke a 4"])
        #expect(rig.state.positions == [SavedPosition(a, at(4))])
    }

    @Test func aGapOfAllIsToldForEachThatLostSomething() throws {
        let rig = try Rig([a, b])
        rig.goLive([a, b], at: 0)
        rig.say(poke(a, 7))
        _ = rig.told()
        rig.say(gap(nil, .backplane, 5))
        #expect(rig.told() == ["gap b backplane 5"])
    }

    @Test func checkpointsRaiseWhatIsSavedOnceTheEventsBeforeThemAreTaken() throws {
        let rig = try Rig()
        rig.goLive()
        rig.say(poke(a, 2))
        rig.say(.heartbeat(checkpoints: [at(8), at(9, epoch: "other")]))
        #expect(rig.state.positions(of: 1).isEmpty)
        _ = rig.told()
        #expect(rig.state.positions(of: 1) == [SavedPosition(a, at(8))])
        rig.say(poke(a, 8))
        #expect(rig.told() == [])
    }

    @Test func anEndAlwaysCountsAndTheLastOneEndsTheLoop() throws {
        let rig = try Rig([a, b])
        rig.goLive([a, b])
        rig.say(.heartbeat(checkpoints: [at(9)]))
        rig.say(ended(a, 5))
        rig.say(rejected(b))
        let lives = ["live a recovered", "live b recovered"]
        #expect(rig.told() == lives + ["ended a", "rejected b final", "failed NOT_FOUND", "over"])
        #expect(rig.state.deadline == nil && rig.state.calls.isEmpty)
    }

    @Test func whatIsRefusedForAWhileIsAskedForAgainBesideTheOthers() throws {
        let rig = try Rig([a, b])
        rig.say(welcome())
        rig.say(live(a, 0))
        rig.say(rejected(b, retry: 10 * second))
        #expect(rig.told() == ["live a recovered", "rejected b for now"])
        #expect(rig.openedAfter() == 15 * second)
        rig.goLive([a, b], at: 0)
        #expect(rig.told() == ["live b recovered"])
    }

    @Test func aMalformedInterestComesBackCut() throws {
        let long = Interest("D", String(repeating: "x", count: 300))
        let rig = try Rig([long, a])
        rig.say(welcome())
        rig.say(rejected(Interest("D", String(repeating: "x", count: 256))))
        rig.say(live(a, 0))
        #expect(rig.told() == ["rejected \(long.filter) final", "live a recovered"])
        #expect(rig.state.calls[0].isSettled)
    }

    @Test func aMessageThatCannotBeReadStartsAfreshWithAGap() throws {
        let rig = try Rig()
        rig.goLive()
        rig.say(poke(a, 2))
        _ = rig.told()
        rig.state.onUndecodable(rig.now, 1, PokeError(.protocol))
        rig.now = try #require(rig.state.deadline)
        rig.state.onTime(rig.now)
        #expect(try #require(rig.opened()).subscriptions[0].start == nil)
        rig.goLive(at: 7)
        #expect(rig.told() == ["live a recovered", "gap a undecodable 7"])
    }

    @Test func silenceIsALossAndPatienceDoublesUntilAHeartbeatComesInTime() throws {
        let rig = try Rig()
        rig.goLive()
        #expect(rig.state.deadline == rig.now + 50 * second)
        rig.now += 50 * second
        rig.state.onTime(rig.now)
        #expect(rig.state.calls.isEmpty)
        rig.openedAfter()
        rig.goLive()
        #expect(rig.state.deadline == rig.now + 100 * second)
        rig.now += 40 * second
        rig.say(.heartbeat(checkpoints: []))
        #expect(rig.state.deadline == rig.now + 50 * second)
    }

    @Test func silenceIsNotCountedWhileNobodyReads() throws {
        let rig = try Rig(buffer: 2)
        rig.goLive()
        #expect(!rig.state.isReading)
        rig.now += 500 * second
        rig.state.onTime(rig.now)
        #expect(rig.state.calls.count == 1)
        _ = rig.told()
        #expect(rig.state.isReading && rig.state.deadline == rig.now + 50 * second)
    }
}

/// The set of interests, and the loops that hold them.
@Suite struct SetTests {
    @Test func changesWithin50MillisecondsGoIntoOneCallBesideTheOldOne() throws {
        let rig = try Rig()
        rig.goLive()
        rig.now += 2 * second
        try rig.state.add(rig.now, 1, b, start: .new)
        try rig.state.add(rig.now, 1, c, start: .latest)
        #expect(rig.openedAfter() == .milliseconds(50))
        try rig.state.add(rig.now, 1, Interest("D", "d"), start: .new)
        rig.goLive([a, b, c])
        #expect(rig.openedAfter() == second, "at most one a second")
        #expect(rig.state.calls.count == 2)
    }

    @Test func twoLoopsShareAnInterestAndEachGetsItsEventsOnce() throws {
        let rig = try Rig()
        rig.goLive()
        rig.state.join(2)
        try rig.state.add(rig.now, 2, a, start: .latest)
        rig.state.onTime(rig.now + 10 * second)
        #expect(rig.opened() == nil, "it is asked for already")
        rig.say(poke(a, 2))
        #expect(rig.told() == ["live a recovered", "poke a 2"])
        #expect(rig.told(2) == ["live a fresh", "poke a 2"])
        rig.state.leave(rig.now, 1)
        rig.say(poke(a, 3))
        #expect(rig.told(2) == ["poke a 3"])
        rig.state.leave(rig.now, 2)
        rig.now += 2 * second
        rig.state.onTime(rig.now)
        guard case .close(1) = rig.state.takeAction() else { return #expect(Bool(false), "the last one closes the call") }
        #expect(rig.state.deadline == nil)
    }

    @Test func anInterestThatIsAddedTwiceStaysUntilItIsRemovedTwice() throws {
        let rig = try Rig()
        try rig.state.add(rig.now, 1, a, start: .new)
        rig.goLive()
        #expect(rig.remove(a))
        rig.say(poke(a, 2))
        #expect(rig.told() == ["live a recovered", "poke a 2"])
        rig.say(poke(a, 3))
        #expect(rig.remove(a))
        #expect(rig.told() == [], "what waits is dropped")
        #expect(!rig.remove(a))
    }

    @Test func removedAndAddedAgainItStartsWhereTheSecondAddSays() throws {
        let rig = try Rig([a, b])
        rig.goLive([a, b])
        rig.remove(a)
        try rig.state.add(rig.now, 1, a, start: .latest)
        rig.now += 2 * second
        rig.say(poke(a, 2))
        rig.state.onTime(rig.now)
        let request = try #require(rig.opened())
        #expect(request.subscriptions.map(\.interest.filter) == ["b", "a"])
        guard case .latest = request.subscriptions[1].start else { return #expect(Bool(false)) }
    }

    @Test func filtersThatOnlyLookTheSameAreTwoInterests() throws {
        let (composed, decomposed) = (Interest("D", "\u{e9}"), Interest("D", "e\u{301}"))
        #expect(composed.filter == decomposed.filter && composed != decomposed)
        let rig = try Rig([composed, decomposed])
        rig.goLive([composed, decomposed])
        #expect(rig.state.interests.entries.count == 2)
        rig.remove(composed)
        rig.say(poke(composed, 2))
        rig.say(poke(decomposed, 3))
        #expect(rig.told() == ["live e\u{301} recovered", "poke e\u{301} 3"])
    }

    @Test func theSlowestOfTwoLoopsSaysHowFarAllHaveCome() throws {
        let rig = try Rig()
        rig.goLive()
        rig.state.join(2)
        try rig.state.add(rig.now, 2, a, start: .new)
        rig.say(poke(a, 2))
        _ = rig.told()
        #expect(rig.state.positions(of: 1) == [SavedPosition(a, at(2))])
        #expect(rig.state.positions == [SavedPosition(a, at(1))])
    }
}

/// What the device does.
@Suite struct DeviceTests {
    @Test func aLoopThatIsOverButStillHeldHoldsUpNobody() throws {
        let rig = try Rig([a, b], buffer: 4)
        rig.state.join(2)
        try rig.state.add(rig.now, 2, c, start: .new)
        rig.openedAfter()
        rig.goLive([a, b, c], at: 0)
        rig.say(ended(c, 1))
        _ = rig.told()
        // Nobody reads the second loop to its end, and each heartbeat raises what the first one holds.
        for sequence in 2..<20 {
            rig.say(.heartbeat(checkpoints: [at(Int64(sequence))]))
            _ = rig.told()
        }
        #expect(rig.state.isReading)
        #expect(rig.told(2) == ["live c recovered", "ended c", "over"])
    }

    @Test func inTheBackgroundNothingIsOpenAndBackItGoesOnWhereItWas() throws {
        let rig = try Rig()
        rig.goLive()
        rig.say(poke(a, 2))
        rig.state.suspend()
        #expect(rig.state.calls.isEmpty && rig.state.deadline == nil)
        rig.now += 1000 * second
        rig.state.onTime(rig.now)
        rig.state.resume(rig.now)
        rig.state.onTime(rig.now)
        while let action = rig.state.takeAction() {
            if case .open(_, let request, _) = action { #expect(request.subscriptions[0].after.sequence == 2) }
        }
        #expect(rig.state.calls.count == 1)
    }

    @Test func anotherNetworkMeansAnotherConnectionBesideTheOldOne() throws {
        let rig = try Rig()
        rig.goLive()
        rig.state.onNetworkChange(rig.now)
        #expect(rig.openedAfter() == .zero)
        #expect(rig.state.calls.map(\.id) == [1, 2])
        rig.goLive()
        #expect(rig.state.calls.map(\.id) == [2])
    }

    @Test func anotherNetworkEndsTheWait() throws {
        let rig = try Rig()
        rig.goLive()
        rig.state.onEnd(rig.now, 1, Failure(lost))
        rig.state.onNetworkChange(rig.now)
        #expect(rig.openedAfter() == .zero)
    }
}
