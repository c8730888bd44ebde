import PokeV1

/// What a client does about everything that can happen to its subscriptions, without doing it.
///
/// Calls come and go; the interests and their positions stay. There are at most two calls: the current one, and the next one
/// while it takes over (make before break). Whatever the cause, a new set, a drain, a token or a lost network, it is the same
/// step: open a call with the full set and the saved positions. Nothing here knows a clock, a network or a task: the driver says
/// what has happened and when, and does the actions that come out.
struct State {
    /// What the driver has to do.
    enum Action {
        /// Start a call. A token that was fetched at or before `staleToken` must not be used.
        case open(CallID, Poke_V1_SubscribeRequest, staleToken: Moment?)
        case close(CallID)
        /// Let no new call use the connection of this one.
        case retire(CallID)
    }

    var interests = Interests()
    private(set) var readers: [ReaderID: Reader] = [:]
    var current: Call?
    var next: Call?
    var newestID: CallID = 0

    /// Since when the set is another than the newest call's.
    var changedAt: Moment?
    /// When the newest call was opened.
    var openedAt: Moment?
    /// After a failure: no call is opened before.
    var notBefore = Moment.zero
    /// The server has said that tokens up to this time are not, or not for long, valid.
    var staleToken: Moment?
    /// A call was retried at once, and none has been welcomed since.
    var retriedAtOnce = false
    var backoff = Backoff()
    var doublings = 0
    /// The app is in the background: no call is wanted.
    var isSuspended = false

    var actions: [Action] = []
    private(set) var isClosed = false
    private let buffer: Int
    let dice: Dice

    /// `buffer`: how many events wait for a loop before no message is read. One message can still add one for each interest.
    init(buffer: Int = Numbers.eventBuffer, dice: @escaping Dice = uniform) {
        (self.buffer, self.dice) = (max(1, buffer), dice)
    }

    /// What has to be done next.
    mutating func takeAction() -> Action? { actions.isEmpty ? nil : actions.removeFirst() }

    /// Whether messages may be read: not while a loop is behind. One that is over gets no more, whatever waits for it.
    var isReading: Bool { readers.values.allSatisfy { $0.isOver || $0.queue.count < buffer } }

    /// When `onTime` has something to do. Silence means nothing while nobody listens.
    var deadline: Moment? {
        let watched = isReading ? calls.map { $0.lostAt(doublings: doublings) } : []
        return (watched + [nextOpen].compactMap { $0 }).min()
    }

    /// Does what is due.
    mutating func onTime(_ now: Moment) {
        while isReading, let silent = calls.first(where: { $0.lostAt(doublings: doublings) <= now }) {
            onSilence(now, silent.id)
        }
        if let due = nextOpen, due <= now { open(now) }
    }

    var calls: [Call] { [current, next].compactMap { $0 } }

    /// The call, to change it. `nil`: it has been given up, and what it still says doesn't count.
    @discardableResult
    mutating func change<R>(_ id: CallID, _ body: (inout Call) -> R) -> R? {
        if current?.id == id { return body(&current!) }
        if next?.id == id { return body(&next!) }
        return nil
    }

    mutating func changeCalls(_ body: (inout Call) -> Void) {
        for call in calls { change(call.id, body) }
    }

    // MARK: The user's side.

    /// A new loop, which holds nothing yet.
    mutating func join(_ id: ReaderID) {
        readers[id] = Reader(isOver: isClosed)
    }

    mutating func add(_ now: Moment, _ id: ReaderID, _ interest: Interest, start: Start) throws(PokeError) {
        guard let reader = readers[id], !isClosed, !reader.isOver else { throw PokeError(.closed, "the subscription is over") }
        let isNew = interests.add(interest, start: start)
        let entry = interests.entries[interest]
        if reader.held[interest] == nil { readers[id]?.handedOut[interest] = entry?.saved }
        readers[id]?.held[interest, default: 0] += 1
        readers[id]?.forgetRefusals(of: interest)
        if isNew { noteChange(now) }
        if reader.held[interest] != nil { return }
        if let entry, entry.isTurnedAway {
            readers[id]?.receive(.rejected(.overLimit(interest, interests.limit)))
        } else if let position = entry?.saved, entry?.owner != nil {
            // It has long been live, for another loop.
            readers[id]?.receive(.live(PokeEvent.Live(interest: interest, position: position, outcome: .fresh)))
        }
    }

    /// Takes one `add` back. False: this loop didn't hold it.
    @discardableResult
    mutating func remove(_ now: Moment, _ id: ReaderID, _ interest: Interest, holders: Int = 1) -> Bool {
        guard let held = readers[id]?.held[interest] else { return false }
        heedingPause(now) { state in
            if held > holders {
                state.readers[id]?.held[interest] = held - holders
            } else {
                state.readers[id]?.drop(interest)
            }
            if state.interests.remove(interest, holders: holders) {
                state.changeCalls { $0.pending.remove(interest) }
                state.switchOver()
                state.admit(now)
            }
        }
        return true
    }

    /// A loop is left.
    mutating func leave(_ now: Moment, _ id: ReaderID) {
        for (interest, holders) in readers[id]?.held ?? [:] { remove(now, id, interest, holders: holders) }
        heedingPause(now) { $0.readers[id] = nil }
    }

    /// The next event for a loop.
    mutating func pop(_ now: Moment, _ id: ReaderID) -> Reader.Next {
        heedingPause(now) { $0.readers[id]?.pop() } ?? .over
    }

    /// What a loop has been handed.
    func positions(of id: ReaderID) -> [SavedPosition] {
        (readers[id]?.handedOut ?? [:]).map { SavedPosition($0, $1) }
    }

    /// What every loop has been handed: of several with one interest, the one that is furthest behind counts.
    var positions: [SavedPosition] {
        interests.entries.keys.compactMap { interest in
            let holders = readers.values.filter { $0.held[interest] != nil }
            let last = holders.max { $0.backlog(of: interest) < $1.backlog(of: interest) }
            return last?.handedOut[interest].map { SavedPosition(interest, $0) }
        }
    }

    /// Ends every loop; what waits for them is still handed out.
    mutating func close() {
        isClosed = true
        for id in readers.keys { readers[id]?.end() }
        clear()
    }

    /// No retry can heal this. A later loop starts anew.
    mutating func fail(_ error: PokeError) {
        for (id, reader) in readers where !reader.isOver {
            readers[id]?.queue.append(.failed(error))
            readers[id]?.end()
        }
        clear()
    }

    /// Nothing is wanted any more.
    mutating func clear() {
        interests.removeAll()
        for id in readers.keys { readers[id]?.held = [:] }
        (changedAt, notBefore, backoff) = (nil, .zero, Backoff())
        closeCalls()
    }

    mutating func closeCalls() {
        for call in calls {
            interests.release(call.id)
            actions.append(.close(call.id))
        }
        (current, next) = (nil, nil)
    }

    mutating func tell(_ event: PokeEvent) {
        for (id, reader) in readers where !reader.isOver {
            if let interest = event.interest, reader.held[interest] == nil { continue }
            readers[id]?.receive(event)
        }
    }

    mutating func tellComplete(_ raised: [Interest], _ position: Position) {
        for (id, reader) in readers where raised.contains(where: { reader.held[$0] != nil }) {
            readers[id]?.queue.append(.checkpoint(raised, position))
        }
    }

    /// There is no more of this interest, and room for another one. With the last one the calls are closed.
    mutating func finish(_ now: Moment, _ interest: Interest) {
        interests.finish(interest)
        for id in readers.keys { readers[id]?.finish(interest) }
        changeCalls { $0.forgo(interest) }
        if interests.isEmpty { clear() } else { admit(now) }
    }

    /// Silence isn't counted while nobody reads, and starts anew after it.
    private mutating func heedingPause<R>(_ now: Moment, _ body: (inout State) -> R) -> R {
        let wasReading = isReading
        defer { if !wasReading, isReading { changeCalls { $0.lives(now) } } }
        return body(&self)
    }
}
