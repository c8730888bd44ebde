package dev.poke

import dev.poke.v1.Ended
import dev.poke.v1.Gap
import dev.poke.v1.Heartbeat
import dev.poke.v1.Poke
import dev.poke.v1.Reconnect
import dev.poke.v1.ReconnectReason
import dev.poke.v1.Rejected
import dev.poke.v1.SubscribeResponse
import dev.poke.v1.SubscribeResponse.EventCase
import dev.poke.v1.Subscribed
import dev.poke.v1.Welcome
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.Instant
import dev.poke.v1.GapReason as WireGapReason
import dev.poke.v1.Outcome as WireOutcome

/** What a server without a heartbeat interval is taken to have. */
private val DEFAULT_HEARTBEAT = 20.seconds

/** A call has said something. Each message is a sign of life, also one of a later version of the contract. */
internal fun State.onMessage(now: Moment, id: CallId, message: SubscribeResponse) {
    val call = call(id) ?: return
    val wasInTime = call.lives(now)
    if (call.isProved(now)) backoff.reset()
    try {
        when (message.eventCase) {
            EventCase.WELCOME -> onWelcome(now, call, message.welcome)
            EventCase.SUBSCRIBED -> onSubscribed(now, call, message.subscribed)
            EventCase.REJECTED -> onRejected(now, call, message.rejected)
            EventCase.POKE -> onPoke(id, message.poke)
            EventCase.GAP -> onGap(call, message.gap)
            EventCase.ENDED -> onEnded(now, id, message.ended)
            EventCase.HEARTBEAT -> {
                if (wasInTime) doublings = 0
                onCheckpoints(id, message.heartbeat)
            }
            EventCase.RECONNECT -> onReconnect(now, call, message.reconnect)
            EventCase.EVENT_NOT_SET, null -> {}
        }
    } catch (unreadable: Unreadable) {
        return onUndecodable(now, id, unreadable)
    }
    switchOver()
}

private fun State.onWelcome(now: Moment, call: Call, welcome: Welcome) {
    val heartbeat = welcome.heartbeatInterval.bounded().takeIf { it > Duration.ZERO } ?: DEFAULT_HEARTBEAT
    val limits = welcome.limits.run { Limits(maxInterests, maxPokeBytes, maxDataDepth, retentionWindow.bounded()) }
    retriedAtOnce = false
    call.welcome(heartbeat, welcome.reconnectSpread.bounded())
    tell(PokeEvent.Connected(welcome.streamId, limits, heartbeat))
    learnLimit(now, limits.maxInterests)
}

private fun State.onSubscribed(now: Moment, call: Call, subscribed: Subscribed) {
    val interest = interest(subscribed.hasInterest(), subscribed.interest)
    val position = position(subscribed.hasPosition(), subscribed.position)
    val outcome = when (subscribed.outcome) {
        WireOutcome.OUTCOME_RECOVERED -> Outcome.RECOVERED
        WireOutcome.OUTCOME_GAP -> Outcome.GAP
        else -> Outcome.FRESH
    }
    val generation = call.carried[interest] ?: return
    call.live(interest, outcome, now)
    val entry = interests[interest]?.takeIf { it.generation == generation && it.heeds(call.id) } ?: return
    val isNews = entry.owner == null
    entry.owner = call.id
    entry.retryAt = null
    entry.awaitsGap = outcome == Outcome.GAP
    // The start of a call that has lost something isn't saved: if the call broke before its gap, nobody would ever hear of
    // the loss.
    if (!entry.awaitsGap) entry.advance(position)
    if (isNews) tell(PokeEvent.Live(interest, position, outcome))
    if (entry.owesGap) tell(PokeEvent.Gap(interest, GapReason.UNDECODABLE, position, null, Duration.ZERO))
    entry.owesGap = false
}

private fun State.onRejected(now: Moment, call: Call, rejected: Rejected) {
    val interest = call.meant(interest(rejected.hasInterest(), rejected.interest)) ?: return
    call.forgo(interest)
    val entry = interests[interest]?.takeIf { it.heeds(call.id) } ?: return
    val isFinal = !rejected.hasRetryDelay()
    tell(PokeEvent.Rejected(interest, Code.of(rejected.code), rejected.reason, rejected.message, isFinal))
    if (isFinal) return finish(now, interest)
    // Half as much again at random, so that the refused don't come back in one instant.
    val delay = rejected.retryDelay.bounded()
    entry.owner = null
    entry.retryAt = now + delay + dice(delay / 2)
}

private fun State.onPoke(id: CallId, poke: Poke) {
    val interest = Interest(poke.domain, poke.filter, poke.audience.toAudience())
    val position = position(poke.hasPosition(), poke.position)
    val data = if (poke.hasData()) toJson(poke.data) else null
    val entry = interests[interest]?.takeIf { it.owner == id } ?: return
    val time = Instant.fromEpochSeconds(poke.publishTime.seconds, poke.publishTime.nanos)
    if (entry.advance(position)) tell(PokeEvent.Poke(interest, data, position, time))
}

private fun State.onGap(call: Call, gap: Gap) {
    val position = position(gap.hasPosition(), gap.position)
    val reason = when (gap.reason) {
        WireGapReason.GAP_REASON_EPOCH_CHANGED -> GapReason.EPOCH_CHANGED
        WireGapReason.GAP_REASON_EVICTED -> GapReason.EVICTED
        WireGapReason.GAP_REASON_LAGGED -> GapReason.LAGGED
        WireGapReason.GAP_REASON_BACKPLANE -> GapReason.BACKPLANE
        else -> GapReason.UNSPECIFIED
    }
    val owned = interests.ownedBy(call.id)
    val concerned = if (gap.hasInterest()) listOf(interest(true, gap.interest)) else owned.keys
    for (interest in concerned) {
        call.pending -= interest
        val entry = owned[interest] ?: continue
        entry.awaitsGap = false
        // The position of a new epoch replaces the saved one, whatever that is.
        if (!entry.advance(position, always = reason == GapReason.EPOCH_CHANGED)) continue
        val missedCount = if (gap.hasMissedCount()) gap.missedCount else null
        tell(PokeEvent.Gap(interest, reason, position, missedCount, dice(gap.reloadSpread.bounded())))
    }
}

/** An end always counts: its position can lie before one that a checkpoint has raised. */
private fun State.onEnded(now: Moment, id: CallId, ended: Ended) {
    val interest = interest(ended.hasInterest(), ended.interest)
    val position = position(ended.hasPosition(), ended.position)
    val data = if (ended.hasData()) toJson(ended.data) else null
    call(id)?.forgo(interest)
    if (interests[interest]?.heeds(id) != true) return
    tell(PokeEvent.Ended(interest, position, data))
    finish(now, interest)
}

private fun State.onCheckpoints(id: CallId, heartbeat: Heartbeat) {
    val checkpoints = heartbeat.checkpointsList.map { position(true, it) }
    val raised = mutableMapOf<Interest, Position>()
    for ((interest, entry) in interests.ownedBy(id).filterValues { !it.awaitsGap }) {
        for (checkpoint in checkpoints.filter { it.epoch == entry.saved?.epoch }) {
            if (entry.advance(checkpoint)) raised[interest] = checkpoint
        }
    }
    val holders = raised.keys.flatMapTo(mutableSetOf()) { interests[it]?.holders.orEmpty() }
    if (raised.isNotEmpty()) post(Item.Checkpoint(raised), holders)
}

private fun State.onReconnect(now: Moment, call: Call, reconnect: Reconnect) {
    val isTokenExpiring = reconnect.reason == ReconnectReason.RECONNECT_REASON_TOKEN_EXPIRING
    // With a token that never changes a new stream would have the same end: there is nothing to move for.
    if (isTokenExpiring && !canRefreshToken) return
    val closesAfter = if (reconnect.hasClosesAfter()) reconnect.closesAfter.bounded() else NEVER
    val maxDelay = minOf(reconnect.maxDelay.bounded(), closesAfter)
    val minDelay = minOf(reconnect.minDelay.bounded(), maxDelay)
    // After a GOAWAY the next call needs a connection of its own.
    if (isTokenExpiring) staleToken = now else actions += Action.Retire(call.id)
    call.mustMove(now + minDelay + dice(maxDelay - minDelay), now + closesAfter)
}
