import GRPCCore
import Testing

@testable import MulticastPoke

/// Which failures are retried, and what a program is told.
@Suite struct ErrorTests {
    @Test func eachCodeHasItsRemedy() {
        // Code, what to do when the server says so, and when a status has no sign of the server.
        let table: [(RPCError.Code, Remedy, Remedy)] = [
            (.cancelled, .giveUp, .retryAtOnce),
            (.unknown, .giveUp, .retryAtOnce),
            (.invalidArgument, .giveUp, .giveUp),
            (.deadlineExceeded, .retry, .retry),
            (.notFound, .giveUp, .giveUp),
            (.alreadyExists, .giveUp, .giveUp),
            (.permissionDenied, .giveUp, .giveUp),
            (.resourceExhausted, .giveUp, .giveUp),
            (.failedPrecondition, .giveUp, .giveUp),
            (.aborted, .giveUp, .giveUp),
            (.outOfRange, .giveUp, .giveUp),
            (.unimplemented, .giveUp, .giveUp),
            (.internalError, .giveUp, .retryAtOnce),
            (.unavailable, .retry, .retryAtOnce),
            (.dataLoss, .giveUp, .giveUp),
            (.unauthenticated, .refreshToken, .refreshToken),
        ]
        for (code, fromServer, fromElsewhere) in table {
            #expect(Failure(refusal(code)).remedy == fromServer, "\(code)")
            #expect(Failure(RPCError(code: code, message: "")).remedy == fromElsewhere, "\(code)")
            #expect(Failure(refusal(code, retry: second)).remedy == .retry, "\(code) with RetryInfo")
        }
    }

    /// Case 43: after a GOAWAY a connection's first new call fails though nothing is wrong.
    @Test func aCallThatTheTransportCannotPlaceIsTriedAgainAtOnceAndOnce() throws {
        let rig = try Rig()
        let unplaced = RPCError(code: .unavailable, message: "Channel isn't ready, no subchannel available.")
        #expect(rig.lose(unplaced) == .zero)
        #expect(rig.lose(unplaced) == second / 2)
        #expect(Failure(lost).remedy == .retry)
    }

    @Test func anAnswerThatIsNotGRPCIsJudgedByItsHTTPStatus() {
        func failure(_ status: Int, _ code: RPCError.Code, _ contentType: String = "text/html") -> Failure {
            Failure(RPCError(code: code, message: "", metadata: [":status": "\(status)", "content-type": "\(contentType)"]))
        }
        for status in [408, 429, 500, 502, 503, 504, 520] {
            #expect(failure(status, .unknown).remedy == .retry, "\(status)")
        }
        for status in [302, 400, 403, 404, 405, 413, 415, 431] {
            #expect(failure(status, .unavailable).remedy == .giveUp, "\(status)")
            #expect(failure(status, .unavailable).error.httpStatus == status)
        }
        #expect(failure(401, .unauthenticated).remedy == .refreshToken)
        #expect(failure(200, .internalError).remedy == .giveUp)
        #expect(failure(200, .internalError).error.kind == .protocol)
        #expect(failure(403, .permissionDenied).error.kind == .refused)
        #expect(failure(431, .unknown).error.message.contains("too large"))
        #expect(failure(200, .unavailable, "application/grpc+proto").error.httpStatus == nil)
    }

    @Test func reconnectingSaysWhyAndWhen() throws {
        let rig = try Rig()
        rig.state.onEnd(rig.now, rig.state.newestID, Failure(lost))
        #expect(rig.pop() == "reconnecting 0.5")
    }

    @Test func aFinalErrorEndsTheLoopAndALaterOneStartsAnew() throws {
        let rig = try Rig()
        rig.state.onEnd(rig.now, 1, Failure(refusal(.permissionDenied)))
        #expect(rig.pop() == "failed PERMISSION_DENIED")
        #expect(rig.pop() == "over")
        #expect(rig.state.deadline == nil)
        rig.state.join(2)
        try rig.state.add(rig.now, 2, a, start: .new)
        #expect(rig.openedAfter() >= .zero)
    }

    @Test func nothingIsRetriedWhenNothingIsWantedAnyMore() throws {
        let rig = try Rig()
        #expect(rig.remove(a))
        rig.state.onEnd(rig.now, 1, Failure(refusal(.notFound)))
        #expect(rig.pop() == nil)
        rig.state.onTime(rig.now + second)
        #expect(rig.opened() == nil && rig.state.deadline == nil)
    }
}
