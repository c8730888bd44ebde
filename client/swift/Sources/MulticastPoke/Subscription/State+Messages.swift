// What the events of a call mean, and which of them the user sees.
extension State {
    /// A call has said something.
    mutating func onMessage(_ now: Moment, _ id: CallID, _ message: StreamEvent) {
        guard let (wasInTime, isProved) = change(id, { ($0.lives(now), $0.isProved(now)) }) else { return }
        if isProved { backoff.reset() }
        switch message {
        case .welcome(let connected, let spread):
            retriedAtOnce = false
            change(id) { $0.welcome(heartbeatInterval: connected.heartbeatInterval, reconnectSpread: spread) }
            tell(.connected(connected))
            if connected.limits.maxInterests > 0 {
                interests.setLimit(connected.limits.maxInterests)
                admit(now)
            }
        case .subscribed(let live): onSubscribed(now, id, live)
        case .rejected(let rejected, let retryDelay): onRejected(now, id, rejected, retryDelay)
        case .poke(let poke):
            if interests.advance(id, poke.interest, to: poke.position) { tell(.poke(poke)) }
        case .gap(let interest, let gap):
            for interest in interest.map({ [$0] }) ?? interests.owned(by: id) { onGap(id, interest, gap) }
        case .ended(let ended):
            // An end always counts: its position can lie before one that a checkpoint has raised.
            change(id) { $0.forgo(ended.interest) }
            if interests.entries[ended.interest]?.heeds(id) ?? false {
                tell(.ended(ended))
                finish(now, ended.interest)
            }
        case .heartbeat(let checkpoints):
            if wasInTime { doublings = 0 }
            for checkpoint in checkpoints { tellComplete(interests.raise(id, to: checkpoint), checkpoint) }
        case .reconnect(let minDelay, let maxDelay, let closesAfter, let renewsToken):
            let moveAt = now + minDelay + dice(maxDelay - minDelay)
            if renewsToken {
                staleToken = now
            } else {
                // It has had a GOAWAY: the next call needs a connection of its own.
                actions.append(.retire(id))
            }
            change(id) { $0.mustMove(at: moveAt, closesAt: closesAfter.map { now + $0 }) }
        case .unknown: break
        }
        switchOver()
    }

    private mutating func onSubscribed(_ now: Moment, _ id: CallID, _ live: PokeEvent.Live) {
        let carried = change(id) { call in
            let generation = call.carried[live.interest]
            if generation != nil { call.live(live.interest, hasGap: live.outcome == .gap, now: now) }
            return generation
        }
        guard let generation = carried ?? nil, let beginning = interests.subscribed(id, generation, live) else { return }
        if beginning.isNews { tell(.live(live)) }
        if beginning.owesGap {
            tell(
                .gap(
                    PokeEvent.Gap(
                        interest: live.interest, reason: .undecodable, position: live.position, missedCount: nil,
                        reloadAfter: .zero)))
        }
    }

    private mutating func onRejected(
        _ now: Moment, _ id: CallID, _ rejected: PokeEvent.Rejected, _ retryDelay: Duration?
    ) {
        let meant = change(id) { call in
            let meant = call.meant(by: rejected.interest)
            if let meant { call.forgo(meant) }
            return meant
        }
        guard let interest = meant ?? nil, interests.entries[interest]?.heeds(id) ?? false else { return }
        var rejected = rejected
        rejected.interest = interest
        tell(.rejected(rejected))
        if let retryDelay {
            // Half as much again at random, so that the refused don't come back in one instant.
            interests.postpone(interest, until: now + retryDelay + dice(retryDelay / 2))
        } else {
            finish(now, interest)
        }
    }

    private mutating func onGap(_ id: CallID, _ interest: Interest, _ gap: PokeEvent.Gap) {
        change(id) { _ = $0.pending.remove(interest) }
        guard interests.lost(id, interest, at: gap.position, always: gap.reason == .epochChanged) else { return }
        var gap = gap
        (gap.interest, gap.reloadAfter) = (interest, dice(gap.reloadAfter))
        tell(.gap(gap))
    }
}
