/// Names a call. A later call has a larger one.
typealias CallID = Int

/// One Subscribe call, as the state sees it: what it has promised so far, and until when its silence is patience.
struct Call {
    let id: CallID
    /// The number of interests that it was asked for.
    let asked: Int
    /// What it was asked for, less what is over.
    var carried: [Interest: Generation]
    /// What it has not answered yet, the gap included if it has said that one comes, and somebody waits for.
    var pending: Set<Interest>
    /// Since its welcome: how far the first retry is spread.
    private(set) var reconnectSpread: Duration?
    /// It is to be replaced, at this time.
    var moveAt: Moment?
    /// The server has asked to move: that the call ends is no fault.
    private(set) var isAnnounced = false
    /// The server has said that it closes the call then.
    private var closesAt: Moment?
    /// The calls that were to replace it and failed.
    private var failedMoves = Backoff()
    private var liveSince: Moment?
    private var lastLife: Moment
    private var silenceAllowed = Numbers.welcomeWithin

    init(id: CallID, carried: [Interest: Generation], now: Moment) {
        (self.id, self.carried, asked, lastLife) = (id, carried, carried.count, now)
        pending = Set(carried.keys)
    }

    mutating func welcome(heartbeatInterval: Duration, reconnectSpread: Duration) {
        silenceAllowed = heartbeatInterval * 2.5
        self.reconnectSpread = reconnectSpread
    }

    /// An interest is live. If it has lost something, its gap comes next.
    mutating func live(_ interest: Interest, hasGap: Bool, now: Moment) {
        if !hasGap { pending.remove(interest) }
        liveSince = liveSince ?? now
    }

    /// The server has no more of this interest on this call.
    mutating func forgo(_ interest: Interest) {
        pending.remove(interest)
        carried[interest] = nil
    }

    /// The interest that the server means. It cuts a malformed one to its limits before it sends it back.
    func meant(by named: Interest) -> Interest? {
        if carried[named] != nil { return named }
        return pending.first {
            $0.domain.utf8.starts(with: named.domain.utf8) && $0.filter.utf8.starts(with: named.filter.utf8)
        }
    }

    /// Each of its interests is answered, and the position from which on it is delivered is known.
    var isSettled: Bool { reconnectSpread != nil && pending.isEmpty }

    /// The server asks to move, and closes the call later on. The earliest of several such requests holds.
    mutating func mustMove(at moveAt: Moment, closesAt: Moment?) {
        isAnnounced = true
        self.moveAt = min(self.moveAt ?? moveAt, moveAt)
        self.closesAt = [self.closesAt, closesAt].compactMap { $0 }.min()
    }

    /// How long to wait with the next attempt to replace this call, after one has failed.
    mutating func moveAgain(after now: Moment, dice: Dice) -> Duration {
        if let closesAt, closesAt >= now { return failedMoves.next(before: closesAt - now, dice: dice) }
        return failedMoves.next(dice: dice)
    }

    func isProved(_ now: Moment) -> Bool { liveSince.map { now >= $0 + Numbers.provedAfter } ?? false }

    /// A message came, or the reader is back after a pause. Answers whether that was in time.
    @discardableResult
    mutating func lives(_ now: Moment) -> Bool {
        defer { lastLife = now }
        return now - lastLife <= silenceAllowed
    }

    /// From when on the call counts as lost. Patience doubles when a silent call is given up, since a network that holds back
    /// heartbeats would otherwise break every call.
    func lostAt(doublings: Int) -> Moment { lastLife + silenceAllowed * (1 << doublings) }
}
