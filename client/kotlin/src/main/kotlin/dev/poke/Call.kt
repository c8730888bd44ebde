package dev.poke

import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** Names a call. A later call has a larger one. */
internal typealias CallId = Long

/** How long the first event may take; it comes at once, without any traffic. */
private val WELCOME_WITHIN = 10.seconds

/** After that long the network and the server have proved themselves, and earlier failures are forgotten. */
private val PROVED_AFTER = 30.seconds

/**
 * One Subscribe call: what it has promised so far, and until when its silence is patience.
 *
 * @property carried what it was asked for, less what is over: each interest with its generation
 */
internal class Call(val id: CallId, carried: Map<Interest, Long>, now: Moment) {
    val carried = carried.toMutableMap()

    /** How many interests it was asked for. */
    val asked = carried.size

    /** What it has not answered yet, the gap included if it has said that one comes, and somebody waits for. */
    val pending = carried.keys.toMutableSet()

    /** Since its welcome: how far the first retry is spread. */
    var reconnectSpread: Duration? = null
        private set

    /** Another call is to replace it from then on. */
    var moveAt = NEVER

    /** The server has said that it will end the call: that it does so is no fault. */
    var isAnnounced = false
        private set
    private var closesAt = NEVER
    private val failedMoves = Backoff()
    private var liveSince = NEVER
    private var lastLife = now
    private var silenceAllowed = WELCOME_WITHIN

    fun welcome(heartbeatInterval: Duration, reconnectSpread: Duration) {
        silenceAllowed = heartbeatInterval * 2.5
        this.reconnectSpread = reconnectSpread
    }

    fun live(interest: Interest, outcome: Outcome, now: Moment) {
        if (outcome != Outcome.GAP) pending -= interest
        liveSince = minOf(liveSince, now)
    }

    /** The server has no more of this interest on this call. */
    fun forgo(interest: Interest) {
        pending -= interest
        carried -= interest
    }

    /** The interest that the server means. It cuts a malformed one to its limits before it sends it back. */
    fun meant(named: Interest): Interest? =
        if (named in carried) named
        else pending.find { it.domain.startsWith(named.domain) && it.filter.startsWith(named.filter) }

    /** Each of its interests is answered, and the position from which on it is delivered is known. */
    val isSettled: Boolean get() = reconnectSpread != null && pending.isEmpty()

    /** The server asks to move. The earliest of several such requests holds. */
    fun mustMove(moveAt: Moment, closesAt: Moment) {
        isAnnounced = true
        this.moveAt = minOf(this.moveAt, moveAt)
        this.closesAt = minOf(this.closesAt, closesAt)
    }

    /** How long to wait with the next attempt to replace this call, after one has failed. */
    fun moveAgainAfter(now: Moment, dice: Dice): Duration =
        if (closesAt == NEVER || closesAt < now) failedMoves.next(dice) else failedMoves.nextBefore(dice, closesAt - now)

    fun isProved(now: Moment): Boolean = liveSince != NEVER && now >= liveSince + PROVED_AFTER

    /** A message came, or the reader is back after a pause. Answers whether that was in time. */
    fun lives(now: Moment): Boolean {
        val silence = now - lastLife
        lastLife = now
        return silence <= silenceAllowed
    }

    /** From when on it counts as lost. Patience doubles, as a network that holds back heartbeats would break every call. */
    fun lostAt(doublings: Int): Moment = lastLife + silenceAllowed * (1 shl doublings)
}
