import GRPCCore
import PokeV1
import Synchronization

/// Carries what happens to the ``State``, and does what comes out.
///
/// It is a lock and no actor, so that leaving a loop takes effect at once and in order, also from a deinitializer.
final class Hub: Sendable {
    typealias Waiting = CheckedContinuation<Reader.Next, Never>

    private struct Shared {
        var state: State
        var calls: [CallID: (task: Task<Void, Never>, connection: any Connection)] = [:]
        /// Calls that wait until messages may be read.
        var gates: [CallID: CheckedContinuation<Void, Never>] = [:]
        /// Loops that wait for an event.
        var waiting: [ReaderID: [Waiting]] = [:]
        var newestReader: ReaderID = 0
        var timer: (task: Task<Void, Never>, due: Moment)?
    }

    private let shared: Mutex<Shared>
    private let connector: Connector
    private let tokens: Tokens
    private let now: @Sendable () -> Moment

    init(state: sending State, connector: Connector, tokens: Tokens, now: @escaping @Sendable () -> Moment) {
        (self.connector, self.tokens, self.now) = (connector, tokens, now)
        shared = Mutex(Shared(state: state))
    }

    /// Something has happened: tells the state, and does its actions.
    @discardableResult
    func step<R: Sendable, E: Error>(_ change: @Sendable (inout State, Moment) throws(E) -> R) throws(E) -> R {
        let (result, afterwards) = shared.withLock { shared -> (Result<R, E>, [@Sendable () -> Void]) in
            let now = self.now()
            let result = Result { () throws(E) in try change(&shared.state, now) }
            shared.state.onTime(now)
            return (result, self.settle(&shared, now))
        }
        // Outside of the lock: these run the code of others.
        for act in afterwards { act() }
        return try result.get()
    }

    private func settle(_ shared: inout Shared, _ now: Moment) -> [@Sendable () -> Void] {
        var afterwards: [@Sendable () -> Void] = []
        while let action = shared.state.takeAction() {
            switch action {
            case .open(let id, let request, let staleToken): open(&shared, now, id, request, staleToken)
            // At once, since the next action may be to open a call.
            case .retire(let id): if let connection = shared.calls[id]?.connection { connector.retire(connection) }
            case .close(let id):
                if let task = shared.calls.removeValue(forKey: id)?.task { afterwards.append { task.cancel() } }
            }
        }
        for (id, loops) in shared.waiting {
            var loops = loops[...]
            while let loop = loops.first {
                let next = shared.state.pop(now, id)
                if case .none = next { break }
                loops.removeFirst()
                afterwards.append { loop.resume(returning: next) }
            }
            shared.waiting[id] = loops.isEmpty ? nil : Array(loops)
        }
        let isReading = shared.state.isReading
        for (id, gate) in shared.gates where isReading || shared.calls[id] == nil {
            shared.gates[id] = nil
            afterwards.append { gate.resume() }
        }
        setTimer(&shared, now)
        return afterwards
    }

    // MARK: Time.

    /// The timer looks at the clock every now and then, since it stands still while the device sleeps.
    private func setTimer(_ shared: inout Shared, _ now: Moment) {
        guard let deadline = shared.state.deadline else {
            shared.timer?.task.cancel()
            shared.timer = nil
            return
        }
        // A timer that is early does no harm, and a new one for each message would.
        if let timer = shared.timer, timer.due <= deadline, timer.due > now { return }
        let wait = max(.milliseconds(1), min(deadline - now, Numbers.glance))
        shared.timer?.task.cancel()
        let task = Task { [weak self] in
            do { try await Task.sleep(for: wait) } catch { return }
            self?.step { _, _ in }
        }
        shared.timer = (task, now + wait)
    }

    // MARK: Calls.

    private func open(
        _ shared: inout Shared, _ now: Moment, _ id: CallID, _ request: Poke_V1_SubscribeRequest, _ staleToken: Moment?
    ) {
        let connection: any Connection
        do { connection = try connector.current() } catch { return shared.state.onEnd(now, id, Failure(error)) }
        let task = Task {
            let failure = await self.run(id, connection, request, staleToken)
            // What failed on the way there is in no state for another call. A call that was given up says nothing about it.
            if let failure, failure.isFromElsewhere, !Task.isCancelled { self.connector.retire(connection) }
            self.step { state, now in
                if let failure { state.onEnd(now, id, failure) } else { state.onClose(now, id) }
            }
            self.shared.withLock { _ = $0.calls.removeValue(forKey: id) }
        }
        shared.calls[id] = (task, connection)
    }

    /// One Subscribe on the wire, or a second one with a new token if the first is no longer accepted. `nil`: closed with OK.
    private func run(
        _ id: CallID, _ connection: any Connection, _ request: Poke_V1_SubscribeRequest, _ staleToken: Moment?
    ) async -> Failure? {
        let hasBegun = Atomic(false)
        let canRefresh = tokens.canRefresh
        func call(_ metadata: Metadata) async -> Failure? {
            do {
                try await connection.subscribe(request, metadata) { message in
                    hasBegun.store(true, ordering: .relaxed)
                    await self.gate(id)
                    self.receive(id, message, canRefresh: canRefresh)
                }
                return nil
            } catch { return canRefresh ? Failure(error) : Failure(error).onceOnly }
        }
        do {
            let metadata = try await tokens.metadata(stale: staleToken)
            let called = now()
            let failure = await call(metadata)
            if failure?.remedy != .refreshToken || hasBegun.load(ordering: .relaxed) { return failure }
            let again = await call(try await tokens.metadata(stale: called))
            return hasBegun.load(ordering: .relaxed) ? again : again?.onceOnly
        } catch { return Failure(error) }
    }

    private func receive(_ id: CallID, _ message: Result<StreamEvent, PokeError>, canRefresh: Bool) {
        step { state, now in
            switch message {
            case .failure(let error): state.onUndecodable(now, id, error)
            // With a token that never changes a new stream would have the same end: there is nothing to move for.
            case .success(.reconnect(_, _, _, renewsToken: true)) where !canRefresh: state.onMessage(now, id, .unknown)
            case .success(let message): state.onMessage(now, id, message)
            }
        }
    }

    /// A call that waits for a slow loop isn't read, so that HTTP/2 makes the server wait.
    private func gate(_ id: CallID) async {
        await withCheckedContinuation { gate in
            let isOpen = shared.withLock { shared in
                if shared.state.isReading || shared.calls[id] == nil { return true }
                shared.gates[id] = gate
                return false
            }
            if isOpen { gate.resume() }
        }
    }

    // MARK: Loops.

    func join() -> ReaderID {
        shared.withLock { shared in
            shared.newestReader += 1
            shared.state.join(shared.newestReader)
            return shared.newestReader
        }
    }

    func leave(_ id: ReaderID) {
        let loops = shared.withLock { $0.waiting.removeValue(forKey: id) ?? [] }
        for loop in loops { loop.resume(returning: .over) }
        step { state, now in state.leave(now, id) }
    }

    func next(_ id: ReaderID) async -> Reader.Next {
        await withTaskCancellationHandler {
            await withCheckedContinuation { loop in
                shared.withLock { $0.waiting[id, default: []].append(loop) }
                if Task.isCancelled { leave(id) } else { step { _, _ in } }
            }
        } onCancel: {
            leave(id)
        }
    }
}
