// When a call is opened, when it takes over from another, and what happens when one is lost.
extension State {
    /// When the next call is due, if none is on its way.
    var nextOpen: Moment? {
        if isClosed || isSuspended { return nil }
        let changed = changedAt.map { max($0 + Numbers.coalesce, openedAt.map { $0 + Numbers.changeInterval } ?? $0) }
        // Nothing is wanted any more: the call only has to be closed.
        guard let interestsDue = interests.due else { return changed }
        guard let current else { return max(interestsDue, changed ?? .zero, notBefore) }
        // A call can only be replaced without a loss once the position of each interest is known.
        guard next == nil, current.isSettled else { return nil }
        let due = [changed, current.moveAt, interests.nextRetry].compactMap { $0 }.min()
        return due.map { max($0, notBefore) }
    }

    /// Opens a call with everything that is wanted, beside the current one if there is one.
    mutating func open(_ now: Moment) {
        changedAt = nil
        let (request, carried) = interests.request(now)
        if carried.isEmpty { return closeCalls() }
        newestID += 1
        openedAt = now
        let call = Call(id: newestID, carried: carried, now: now)
        if current == nil { current = call } else { next = call }
        actions.append(.open(newestID, request, staleToken: staleToken))
    }

    /// The next call takes over once each of its interests is live, or refused.
    mutating func switchOver() {
        guard let taker = next, taker.isSettled, let old = current else { return }
        interests.release(old.id)
        (current, next) = (taker, nil)
        actions.append(.close(old.id))
    }

    /// Compares the set with that of the newest call.
    mutating func noteChange(_ now: Moment) {
        let isSent = (next ?? current).map { interests.equal($0.carried) } ?? false
        changedAt = isSent ? nil : changedAt ?? now
    }

    /// Applies the limit, which has changed or has room again: tells the loops of interests that are newly over it, and notes
    /// whether the next call has another set.
    mutating func admit(_ now: Moment) {
        let limit = interests.limit
        for interest in interests.admit() { tell(.rejected(.overLimit(interest, limit))) }
        noteChange(now)
    }

    /// The watchdog.
    mutating func onSilence(_ now: Moment, _ id: CallID) {
        doublings = min(Numbers.maxDoublings, doublings + 1)
        actions += [.retire(id), .close(id)]
        onEnd(now, id, .retry(PokeError(.unavailable, "the server has been silent for too long")))
    }

    /// A call has sent something that can't be read. What it was is unknown, so nothing that the call carries can be resumed:
    /// all of it starts afresh, and the user hears of a gap. Unless another call is about to take over: that one has asked for
    /// everything which this one owes.
    mutating func onUndecodable(_ now: Moment, _ id: CallID, _ error: PokeError) {
        let isRelieved = next.map { $0.id != id } ?? false
        guard let carried = change(id, { $0.carried }) else { return }
        if !isRelieved { interests.forget(id, carried) }
        actions.append(.close(id))
        onEnd(now, id, .retry(error))
    }

    /// The server has closed a call with OK. That is right if each interest of the call has ended or was rejected for good: what
    /// was added since, or had no room on it, is asked for as any change of the set. Otherwise the call is lost.
    mutating func onClose(_ now: Moment, _ id: CallID) {
        if let call = calls.first(where: { $0.id == id }), call.carried.isEmpty {
            _ = takeCall(now, id)
            if current == nil { (current, next) = (next, nil) }
            return noteChange(now)
        }
        onEnd(now, id, .retry(PokeError(.unavailable, "the server has closed the stream")))
    }

    /// A call is over.
    mutating func onEnd(_ now: Moment, _ id: CallID, _ failure: Failure) {
        guard let call = takeCall(now, id) else { return }
        if current == nil, let taker = next {
            // The call that was to take over is on its way already, and decides what comes next.
            (current, next) = (taker, nil)
            return
        }
        if interests.isEmpty { return }
        guard let delay = delay(after: failure, of: call, now) else { return fail(failure.error) }
        notBefore = now + delay
        if current != nil { return noteChange(now) }
        changedAt = nil
        tell(.reconnecting(PokeEvent.Reconnecting(cause: failure.error, delay: delay)))
    }

    private mutating func takeCall(_ now: Moment, _ id: CallID) -> Call? {
        guard let call = calls.first(where: { $0.id == id }) else { return nil }
        if current?.id == id { current = nil } else { next = nil }
        interests.release(id)
        if call.isProved(now) || call.isAnnounced { backoff.reset() }
        return call
    }

    /// How long to wait after a failure; `nil`: for ever.
    private mutating func delay(after failure: Failure, of call: Call, _ now: Moment) -> Duration? {
        switch failure.remedy {
        case .giveUp:
            // Another server accepts fewer interests than the one before.
            guard let limit = failure.interestLimit, limit >= 1, limit < call.asked else { return nil }
            interests.setLimit(limit)
            admit(now)
            return .zero
        case .retryAtOnce where call.reconnectSpread == nil && !retriedAtOnce:
            retriedAtOnce = true
            actions.append(.retire(call.id))
            return .zero
        case .refreshToken: staleToken = now
        case .retry, .retryAtOnce: break
        }
        let retryAfter = failure.error.retryAfter
        let wait: Duration
        if current != nil {
            // What fails beside a call that lives says nothing about the time after it.
            wait = current!.moveAgain(after: now, dice: dice)
        } else if let spread = call.reconnectSpread, call.isAnnounced || retryAfter == nil {
            wait = backoff.next(spread: spread, dice: dice)
        } else {
            wait = backoff.next(dice: dice)
        }
        return (retryAfter ?? .zero) + wait
    }

    // MARK: The device.

    /// The network has changed, so that the connection may be dead: moves to another one at once.
    mutating func onNetworkChange(_ now: Moment) {
        notBefore = min(notBefore, now)
        actions += calls.map { .retire($0.id) }
        if let attempt = next {
            // It is on the old network as well.
            actions.append(.close(attempt.id))
            interests.release(attempt.id)
            next = nil
        }
        if let current, !current.isSettled {
            // Nothing is known of it that could be lost.
            actions.append(.close(current.id))
            interests.release(current.id)
            self.current = nil
        }
        current?.moveAt = now
    }

    /// The app goes to the background: closes the calls, and keeps the interests and their positions.
    mutating func suspend() {
        isSuspended = true
        closeCalls()
    }

    /// The app is back.
    mutating func resume(_ now: Moment) {
        isSuspended = false
        notBefore = min(notBefore, now)
    }
}
