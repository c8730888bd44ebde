/// The events of some interests: `for try await event in client.pokes(interest)`.
///
/// It doesn't end for reasons that pass. It ends once each of its interests has ended, and when its task is cancelled. It throws
/// one ``PokeError`` when no retry can help, and, once no interest is left, the first final rejection that the program hasn't
/// marked as handled (``PokeEvent/Rejected/markHandled()``). Leaving the loop lets its interests go, once
/// nothing holds this value either. While nobody reads it, the server is made to wait. Iterate it once.
public struct Pokes: AsyncSequence, Sendable {
    /// Lets go of the interests when nobody can ask for an event any more.
    fileprivate final class Membership: Sendable {
        let hub: Hub
        let id: ReaderID

        init(hub: Hub) {
            (self.hub, id) = (hub, hub.join())
        }

        deinit { hub.leave(id) }
    }

    private let membership: Membership
    private let problem: PokeError?

    init(hub: Hub, interests: [Interest], start: @Sendable (Interest) -> Start) {
        let membership = Membership(hub: hub)
        self.membership = membership
        do {
            try hub.step { state, now throws(PokeError) in
                for interest in interests { try state.add(now, membership.id, interest, start: start(interest)) }
            }
            problem = nil
        } catch {
            problem = error
            hub.leave(membership.id)
        }
    }

    /// Adds an interest. One that two parts of a program add is delivered once to each loop, and stays until it has been removed as
    /// often. Changes within 50 ms are sent together, at most once a second, and nothing that is live is interrupted. An interest over
    /// the server's limit is rejected for now, and asked for as soon as there is room. Throws ``PokeError/Kind/closed`` when this
    /// has ended.
    public func add(_ interest: Interest, latest: Bool = false, after position: Position? = nil) throws(PokeError) {
        let id = membership.id
        try membership.hub.step { state, now throws(PokeError) in
            try state.add(now, id, interest, start: position.map(Start.after) ?? (latest ? .latest : .new))
        }
    }

    /// Takes one `add` back. After the last, no event of the interest is delivered here. False: it wasn't held.
    @discardableResult
    public func remove(_ interest: Interest) -> Bool {
        let id = membership.id
        return membership.hub.step { state, now in state.remove(now, id, interest) }
    }

    /// The position of each interest through the last event that this loop was given. Save them when these are handled.
    public var positions: [SavedPosition] {
        let id = membership.id
        return membership.hub.step { state, _ in state.positions(of: id) }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(membership: membership, problem: problem) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let membership: Membership
        fileprivate var problem: PokeError?

        public mutating func next() async throws -> PokeEvent? {
            if let problem {
                self.problem = nil
                throw problem
            }
            switch await membership.hub.next(membership.id) {
            case .event(let event): return event
            case .failed(let error): throw error
            case .over, .none: return nil
            }
        }
    }
}
