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

    /// Removes the interest, and what waits of it.
    mutating func drop(_ interest: Interest) {
        held[interest] = nil
        handedOut[interest] = nil
        queue.removeAll { if case .event(let event) = $0 { event.interest == interest } else { false } }
    }

    /// There is no more of the interest. What waits of it is still handed out.
    mutating func finish(_ interest: Interest) {
        if held.removeValue(forKey: interest) != nil, held.isEmpty { isOver = true }
    }

    mutating func pop() -> Next {
        while !queue.isEmpty {
            switch queue.removeFirst() {
            case .failed(let error): return .failed(error)
            case .checkpoint(let raised, let position):
                for interest in raised where held[interest] != nil { handedOut[interest] = position }
            case .event(let event):
                if let saved = event.saves, held[saved.interest] != nil { handedOut[saved.interest] = saved.position }
                return .event(event)
            }
        }
        return isOver ? .over : .none
    }

    /// How many events of the interest wait for it.
    func backlog(of interest: Interest) -> Int {
        queue.count { if case .event(let event) = $0 { event.interest == interest } else { false } }
    }
}
