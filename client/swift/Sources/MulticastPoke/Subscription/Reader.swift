typealias ReaderID = Int

/// One loop over the events of some interests. A client has one stream for all of them, and each loop gets what it asked for.
struct Reader {
    /// What waits for it.
    enum Item: Sendable {
        case event(PokeEvent)
        /// Interests that are complete up to there, without an event.
        case checkpoint([Interest], Position)
        case failed(PokeError)
    }

    /// What a loop gets when it asks for the next event.
    enum Next: Sendable {
        case event(PokeEvent)
        case failed(PokeError)
        case over
        /// Nothing yet.
        case none
    }

    /// How many times it holds each interest.
    var held: [Interest: Int] = [:]
    var queue: [Item] = []
    /// The newest position of each interest that it has been handed.
    var handedOut: [Interest: Position] = [:]
    /// Nothing will be added to the queue.
    var isOver = false
    /// Final rejections that it was handed and hasn't marked as handled, as far as is known. It ends with the first of these.
    private var refusals: [PokeEvent.Rejected] = []

    /// How many such rejections a loop keeps: the first is enough, and the others count if the program marks that one later.
    private static let maxRefusals = 64

    init(isOver: Bool) { self.isOver = isOver }

    /// Removes the interest, and what waits of it.
    mutating func drop(_ interest: Interest) {
        held[interest] = nil
        handedOut[interest] = nil
        queue.removeAll { if case .event(let event) = $0 { event.interest == interest } else { false } }
    }

    /// There is no more of the interest. What waits of it is still handed out.
    mutating func finish(_ interest: Interest) {
        guard held.removeValue(forKey: interest) != nil else { return }
        if held.isEmpty { isOver = true }
    }

    /// The loop ends for another reason than that no interest is left.
    mutating func end() {
        if isOver { return }
        isOver = true
        forgetRefusals()
    }

    /// An event for this loop. Each loop marks rejections for itself.
    mutating func receive(_ event: PokeEvent) {
        if case .rejected(let rejected) = event { return queue.append(.event(.rejected(rejected.unhandled))) }
        queue.append(.event(event))
    }

    /// The loop doesn't end with what was rejected so far: this interest, which was added again, or any.
    mutating func forgetRefusals(of interest: Interest? = nil) {
        for case .event(.rejected(let rejected)) in queue where interest == nil || rejected.interest == interest {
            rejected.markHandled()
        }
        refusals.removeAll { interest == nil || $0.interest == interest }
    }

    mutating func pop() -> Next {
        while !queue.isEmpty {
            switch queue.removeFirst() {
            case .failed(let error): return .failed(error)
            case .checkpoint(let raised, let position):
                for interest in raised where held[interest] != nil { handedOut[interest] = position }
            case .event(let event):
                if let saved = event.saves, held[saved.interest] != nil { handedOut[saved.interest] = saved.position }
                if case .rejected(let rejected) = event, rejected.isFinal { keep(rejected) }
                return .event(event)
            }
        }
        guard isOver else { return .none }
        refusals.removeAll(where: \.isHandled)
        defer { refusals = [] }
        return PokeError(refusals).map(Next.failed) ?? .over
    }

    private mutating func keep(_ refusal: PokeEvent.Rejected) {
        refusals.removeAll(where: \.isHandled)
        if refusals.count < Self.maxRefusals { refusals.append(refusal) }
    }

    /// How many events of the interest wait for it.
    func backlog(of interest: Interest) -> Int {
        queue.count { if case .event(let event) = $0 { event.interest == interest } else { false } }
    }
}
