package dev.poke

import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Changes of the set within this time go into one call. */
private val COALESCE = 50.milliseconds

/** The least time between two calls of which the second only changes the set. */
private val CHANGE_INTERVAL = 1.seconds

/** How often patience doubles at most: a factor of 8. */
private const val MAX_DOUBLINGS = 3

/** When the next call is due, if none is on its way. */
internal fun State.nextOpen(): Moment {
    if (isOver || isPaused) return NEVER
    val changeDue = changedAt?.let { maxOf(it + COALESCE, openedAt?.plus(CHANGE_INTERVAL) ?: it) }
    // Nothing is wanted any more: the call only has to be closed.
    if (interests.size == 0) return changeDue ?: NEVER
    val current = current
    val due = when {
        current == null -> maxOf(interests.due(), changeDue ?: Moment.ZERO)
        next != null -> NEVER
        // A call can only be replaced without a loss once the position of each interest is known.
        !current.isSettled -> NEVER
        else -> minOf(changeDue ?: NEVER, current.moveAt, interests.nextRetry())
    }
    return maxOf(due, notBefore)
}

/** Opens a call with everything that is wanted, beside the current one if there is one. */
internal fun State.open(now: Moment) {
    changedAt = null
    val (request, carried) = interests.request(now)
    if (carried.isEmpty()) return closeAll()
    openedAt = now
    val call = Call(++newestId, carried, now)
    if (current == null) current = call else next = call
    actions += Action.Open(call.id, request, staleToken)
}

private fun State.closeAll() {
    calls.forEach(::close)
    current = null
    next = null
}

private fun State.close(call: Call) {
    interests.release(call.id)
    actions += Action.Close(call.id)
}

/** The program doesn't want to be connected: the calls end, the interests and their positions stay. */
internal fun State.pause() {
    isPaused = true
    closeAll()
}

/** The program wants to be connected again, at once. */
internal fun State.resume(now: Moment) {
    isPaused = false
    notBefore = now
}

/** New calls go through another network: what goes through the old one is replaced at once, and failures say nothing. */
internal fun State.onNetworkChange(now: Moment) {
    backoff.reset()
    notBefore = now
    next?.let(::close)
    next = null
    val call = current ?: return
    if (call.isSettled) call.moveAt = now else closeAll()
}

/** The next call takes over once each of its interests is live, or refused. */
internal fun State.switchOver() {
    val successor = next?.takeIf { it.isSettled } ?: return
    current?.let(::close)
    current = successor
    next = null
}

/** Compares what may be asked for with what the newest call carries. */
internal fun State.noteChange(now: Moment) {
    tellFallen()
    val isSent = (next ?: current)?.let { interests.equal(it.carried) } ?: false
    changedAt = if (isSent) null else changedAt ?: now
}

/** The watchdog. */
internal fun State.onSilence(now: Moment, id: CallId) {
    doublings = minOf(doublings + 1, MAX_DOUBLINGS)
    actions += Action.Retire(id)
    actions += Action.Close(id)
    onEnd(now, id, lost("the server has been silent for too long"))
}

/**
 * A call has sent something that can't be read. What it was is unknown, so nothing that the call carries can be resumed: all
 * of it starts afresh, and the program hears of a gap. Unless another call is about to take over: that one has asked for
 * everything which this one owes.
 */
internal fun State.onUndecodable(now: Moment, id: CallId, error: Exception) {
    val call = call(id) ?: return
    val isRelieved = next.let { it != null && it.id != id }
    if (!isRelieved) interests.forget(id, call.carried.keys)
    call.carried.clear()
    actions += Action.Close(id)
    val problem = error.message ?: "a message can't be read"
    onEnd(now, id, PokeException(PokeException.Kind.PROTOCOL, problem, error, remedy = Remedy.RETRY))
}

/**
 * The server has closed a call with OK. That is right if each interest of the call has ended or was rejected for good: what was
 * added since, or had no room on it, is asked for as any change of the set. Otherwise the call is lost.
 */
internal fun State.onClose(now: Moment, id: CallId) {
    val call = call(id) ?: return
    if (call.carried.isNotEmpty()) return onEnd(now, id, lost("the server has closed the stream"))
    take(now, call)
    if (current == null) {
        current = next
        next = null
    }
    noteChange(now)
}

private fun State.take(now: Moment, call: Call) {
    if (call === current) current = null else next = null
    interests.release(call.id)
    if (call.isProved(now) || call.isAnnounced) backoff.reset()
}

private fun lost(problem: String) =
    PokeException(PokeException.Kind.UNAVAILABLE, problem, remedy = Remedy.RETRY)

/** A call is over. */
internal fun State.onEnd(now: Moment, id: CallId, error: PokeException) {
    val call = call(id) ?: return
    take(now, call)
    val carriesFewer = lowerLimit(call, error)
    if (current == null && next != null) {
        // The call that was to take over is on its way already, and decides what comes next.
        current = next
        next = null
        return
    }
    if (interests.size == 0) return
    val delay = if (carriesFewer) Duration.ZERO else delayAfter(now, call, error) ?: return stop(error)
    notBefore = now + delay
    if (current != null) {
        noteChange(now)
    } else {
        changedAt = null
        tell(PokeEvent.Reconnecting(error, delay))
    }
}

/** How long to wait after a failure; null: for ever. */
private fun State.delayAfter(now: Moment, call: Call, error: PokeException): Duration? {
    val spread = call.reconnectSpread
    when (error.remedy) {
        Remedy.GIVE_UP -> return null
        Remedy.RETRY_AT_ONCE -> if (spread == null && !retriedAtOnce) {
            retriedAtOnce = true
            actions += Action.Retire(call.id)
            return Duration.ZERO
        }
        Remedy.REFRESH_TOKEN -> staleToken = now
        Remedy.RETRY -> {}
    }
    val current = current
    val wait = when {
        // What fails beside a call that lives says nothing about the time after it.
        current != null -> current.moveAgainAfter(now, dice)
        spread != null && (call.isAnnounced || error.retryAfter == null) -> backoff.nextSpread(dice, spread)
        else -> backoff.next(dice)
    }
    return (error.retryAfter ?: Duration.ZERO) + wait
}
