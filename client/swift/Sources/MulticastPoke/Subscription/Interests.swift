import PokeV1

/// Tells an interest that was removed and added again from what it was before.
typealias Generation = Int

/// The interests of a client: who holds them, how far they have been read, and which call delivers them.
struct Interests {
    struct Entry {
        let generation: Generation
        /// How many times it was added and not yet removed.
        var holders = 1
        /// Where the next call starts. `after` is the saved position.
        var start: Start
        /// The newest call on which it is live. What older calls still deliver is dropped.
        var owner: CallID?
        /// Its call has said that a gap comes next. Until then no checkpoint may raise the saved position past the loss.
        var awaitsGap = false
        /// Its position was given up because of a message that could not be read: the user must hear of a gap.
        var owesGap = false
        /// Refused until then.
        var retryAt: Moment?
        /// It is within the limit, so that calls carry it.
        var isAdmitted = true
        /// Its loops have been told that it is over the limit.
        var isTurnedAway = false

        var saved: Position? { if case .after(let position) = start { position } else { nil } }

        /// Whether `call` may say something about it: no newer call delivers it.
        func heeds(_ call: CallID) -> Bool { owner.map { $0 <= call } ?? true }

        func hasSeen(_ position: Position) -> Bool { saved.map(position.isAtOrBefore) ?? false }

        /// There is room for it.
        mutating func letIn() { (isAdmitted, isTurnedAway) = (true, false) }

        /// There is no room for it. No call delivers it from now on.
        mutating func turnAway(isTold: Bool) {
            (isAdmitted, isTurnedAway) = (false, isTold)
            (owner, awaitsGap) = (nil, false)
        }
    }

    private(set) var entries: [Interest: Entry] = [:]
    private var newest: Generation = 0
    /// The number of interests that a call may carry. The first ones in the order of `add` are admitted.
    private(set) var limit = Numbers.assumedLimit
    /// A server has said the limit.
    private var limitIsKnown = false
    /// Some interests are over the limit.
    private var hasSurplus = false

    var isEmpty: Bool { entries.isEmpty }

    /// True: it is new, and admitted if there is room. False: somebody else holds it already.
    mutating func add(_ interest: Interest, start: Start) -> Bool {
        if entries[interest] != nil {
            entries[interest]?.holders += 1
            return false
        }
        newest += 1
        var entry = Entry(generation: newest, start: start)
        entry.isAdmitted = entries.count < limit
        entry.isTurnedAway = !entry.isAdmitted && limitIsKnown
        hasSurplus = hasSurplus || !entry.isAdmitted
        entries[interest] = entry
        return true
    }

    /// True: that was the last one who held it.
    mutating func remove(_ interest: Interest, holders: Int = 1) -> Bool {
        guard var entry = entries[interest] else { return false }
        entry.holders -= holders
        entries[interest] = entry.holders > 0 ? entry : nil
        return entry.holders <= 0
    }

    /// It has ended or was finally rejected: whoever held it.
    mutating func finish(_ interest: Interest) { entries[interest] = nil }

    mutating func removeAll() { entries = [:] }

    /// Takes the limit that a server has said.
    mutating func setLimit(_ limit: Int) { (self.limit, limitIsKnown) = (limit, true) }

    /// Admits the interests that were added first, as many as the limit allows. Each of the others loses its owner, but keeps its
    /// start and its saved position until there is room. Returns those whose loops have to be told, in the order of `add`.
    mutating func admit() -> [Interest] {
        let isOver = entries.count > limit
        guard isOver || hasSurplus else { return [] }
        hasSurplus = isOver
        let firstOver = isOver ? entries.values.map(\.generation).sorted()[limit] : Generation.max
        var turnedAway: [(Interest, Generation)] = []
        for interest in Array(entries.keys) {
            guard let entry = entries[interest] else { continue }
            if entry.generation < firstOver {
                if !entry.isAdmitted { entries[interest]?.letIn() }
            } else if entry.isAdmitted || !entry.isTurnedAway {
                entries[interest]?.turnAway(isTold: limitIsKnown)
                if limitIsKnown { turnedAway.append((interest, entry.generation)) }
            }
        }
        return turnedAway.sorted { $0.1 < $1.1 }.map(\.0)
    }

    private var admitted: some Collection<Entry> { entries.values.lazy.filter(\.isAdmitted) }

    /// When there is something to ask for.
    var due: Moment? { admitted.lazy.map { $0.retryAt ?? .zero }.min() }

    /// When a refused interest may be asked for again.
    var nextRetry: Moment? { admitted.lazy.compactMap(\.retryAt).min() }

    /// Whether a call that carries these carries what should be live. What is refused for a while isn't missed.
    func equal(_ carried: [Interest: Generation]) -> Bool {
        entries.filter { $0.value.isAdmitted && $0.value.retryAt == nil }.mapValues(\.generation) == carried
    }

    /// What to ask for now, in the order in which it was added.
    mutating func request(_ now: Moment) -> (Poke_V1_SubscribeRequest, [Interest: Generation]) {
        var (request, carried) = (Poke_V1_SubscribeRequest(), [Interest: Generation]())
        let due = entries.filter { $0.value.isAdmitted && ($0.value.retryAt.map { $0 <= now } ?? true) }
        for (interest, entry) in due.sorted(by: { $0.value.generation < $1.value.generation }) {
            entries[interest]?.retryAt = nil
            carried[interest] = entry.generation
            request.subscriptions.append(
                .with {
                    $0.interest = Poke_V1_Interest(interest)
                    switch entry.start {
                    case .new: break
                    case .latest: $0.latest = Poke_V1_Latest()
                    case .after(let position): $0.after = Poke_V1_Position(position)
                    }
                })
        }
        return (request, carried)
    }

    /// `call`, which was asked for this `generation`, delivers the interest from now on. `nil`: nobody holds it any more, or a
    /// newer call delivers it. Otherwise whether no other call was delivering it, and whether it owes the user a gap.
    mutating func subscribed(
        _ call: CallID, _ generation: Generation, _ live: PokeEvent.Live
    ) -> (isNews: Bool, owesGap: Bool)? {
        guard var entry = entries[live.interest], entry.generation == generation, entry.isAdmitted, entry.heeds(call)
        else { return nil }
        defer { entries[live.interest] = entry }
        let beginning = (entry.owner == nil, entry.owesGap)
        (entry.owner, entry.retryAt, entry.owesGap) = (call, nil, false)
        entry.awaitsGap = live.outcome == .gap
        // The start of a call that has lost something isn't saved: if the call broke before its gap, nobody would ever hear of
        // the loss.
        if !entry.awaitsGap, !entry.hasSeen(live.position) { entry.start = .after(live.position) }
        return beginning
    }

    /// Whether something at `position` is news from the call that delivers the interest. It is saved.
    mutating func advance(_ call: CallID, _ interest: Interest, to position: Position) -> Bool {
        guard let entry = entries[interest], entry.owner == call, !entry.hasSeen(position) else { return false }
        entries[interest]?.start = .after(position)
        return true
    }

    /// As `advance`, for a gap: the loss is accounted for. `always` is for a new epoch, whose position replaces the saved one.
    mutating func lost(_ call: CallID, _ interest: Interest, at position: Position, always: Bool) -> Bool {
        guard let entry = entries[interest], entry.owner == call else { return false }
        entries[interest]?.awaitsGap = false
        guard always || !entry.hasSeen(position) else { return false }
        entries[interest]?.start = .after(position)
        return true
    }

    /// Everything that `call` delivers in this epoch is complete through `checkpoint`. Answers what has risen.
    mutating func raise(_ call: CallID, to checkpoint: Position) -> [Interest] {
        let behind = entries.filter { _, entry in
            guard entry.owner == call, !entry.awaitsGap, let saved = entry.saved else { return false }
            return saved.isAtOrBefore(checkpoint) && saved != checkpoint
        }
        for interest in behind.keys { entries[interest]?.start = .after(checkpoint) }
        return Array(behind.keys)
    }

    /// It is refused for now.
    mutating func postpone(_ interest: Interest, until retryAt: Moment) {
        entries[interest]?.owner = nil
        entries[interest]?.retryAt = retryAt
    }

    /// What `call` delivers.
    func owned(by call: CallID) -> [Interest] { entries.filter { $0.value.owner == call }.map(\.key) }

    /// `call` is over.
    mutating func release(_ call: CallID) {
        for interest in owned(by: call) {
            entries[interest]?.owner = nil
            entries[interest]?.awaitsGap = false
        }
    }

    /// Nobody knows how far these have come on `call`: they start afresh, and what was known is a gap. What another call delivers
    /// isn't concerned.
    mutating func forget(_ call: CallID, _ carried: [Interest: Generation]) {
        for interest in carried.keys {
            guard var entry = entries[interest], entry.owner == nil || entry.owner == call else { continue }
            entry.owesGap = entry.owesGap || entry.start != .new
            entry.start = .new
            entries[interest] = entry
        }
    }
}
