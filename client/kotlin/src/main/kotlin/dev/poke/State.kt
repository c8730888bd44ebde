package dev.poke

import dev.poke.v1.SubscribeRequest
import java.util.ArrayDeque

/** What the driver has to do. */
internal sealed interface Action {
    /** Start a call. A token that was fetched at or before [staleToken] must not be used. */
    data class Open(val id: CallId, val request: SubscribeRequest, val staleToken: Moment?) : Action

    /** Cancel a call. */
    data class Close(val id: CallId) : Action

    /** Let no new call use the connection of this one. */
    data class Retire(val id: CallId) : Action
}

/** What waits for readers. */
internal sealed interface Item {
    data class Told(val event: PokeEvent) : Item

    /** Interests that are complete up to there, without an event. */
    data class Checkpoint(val raised: Map<Interest, Position>) : Item

    data class Failed(val error: PokeException) : Item
}

/**
 * What a client does about everything that can happen to it, without doing it.
 *
 * Calls come and go; the interests and their positions stay. There are at most two calls: the current one, and the next
 * one while it takes over (make before break). Whatever the cause, a new set, a drain, a token or a lost network, it is
 * the same step: open a call with the full set and the saved positions. Nothing here knows a clock, a network or a thread:
 * the driver says what has happened and when, and does the [Action]s that come out. When a call is opened and lost is in
 * `Replace.kt`, what a message does in `Messages.kt`.
 */
internal class State(
    private val outboxLimit: Int,
    val canRefreshToken: Boolean,
    val dice: Dice,
    limit: InterestLimit = InterestLimit(),
) {
    val interests = Interests(limit)
    var current: Call? = null
    var next: Call? = null
    var newestId: CallId = 0

    /** Since when the set is another than the newest call's. */
    var changedAt: Moment? = null

    /** When the newest call was opened. */
    var openedAt: Moment? = null

    /** After a failure: no call is opened before. */
    var notBefore = Moment.ZERO

    /** The server has said that tokens up to this time are not, or not for long, valid. */
    var staleToken: Moment? = null

    /** A call was retried at once, and none has been welcomed since. */
    var retriedAtOnce = false
    val backoff = Backoff()

    /** How often patience with silent servers has doubled. */
    var doublings = 0

    /** The program doesn't want to be connected for now. */
    var isPaused = false
    var isOver = false
        private set

    private val readers = mutableSetOf<Reader>()
    private val outbox = ArrayDeque<Waiting>()
    val actions = mutableListOf<Action>()

    private class Waiting(var item: Item, val readers: MutableSet<Reader>)

    /** What has to be done since the last time. */
    fun takeActions(): List<Action> = actions.toList().also { actions.clear() }

    /** Whether messages may be read: not while the program is behind. One message can still add an event an interest. */
    val isReading: Boolean get() = outbox.size < outboxLimit

    val calls: List<Call> get() = listOfNotNull(current, next)

    /** Null: it has been given up, and what it still says doesn't count. */
    fun call(id: CallId): Call? = calls.find { it.id == id }

    /** When [onTime] has something to do. Silence means nothing while nobody listens. */
    fun deadline(): Moment {
        val lost = if (isReading) calls.minOfOrNull { it.lostAt(doublings) } else null
        return minOf(lost ?: NEVER, nextOpen())
    }

    /** Does what is due. */
    fun onTime(now: Moment) {
        if (isReading) calls.filter { it.lostAt(doublings) <= now }.forEach { onSilence(now, it.id) }
        if (nextOpen() <= now) open(now)
    }

    /** Ends everything. The driver cancels what is open. */
    fun stop(error: PokeException? = null) {
        if (error != null && !isOver) post(Item.Failed(error), readers)
        isOver = true
        current = null
        next = null
    }

    /**
     * Somebody wants these, each from its start on. An interest that is held already is delivered once, and goes on. False:
     * it is too late.
     */
    fun join(now: Moment, reader: Reader, wants: Map<Interest, Start>): Boolean {
        if (isOver) return false
        readers += reader
        for ((interest, start) in wants) {
            val entry = interests.add(interest, start)
            entry.holders += reader
            val position = entry.saved
            if (entry.owner != null && position != null) {
                post(Item.Told(PokeEvent.Live(interest, position, Outcome.FRESH)), setOf(reader))
            }
            if (entry.isOverLimit) post(Item.Told(overLimit(interest)), setOf(reader))
        }
        noteChange(now)
        return true
    }

    /** Takes the reader's interests back. What nobody holds any more is forgotten, with what waits of it. */
    fun leave(now: Moment, reader: Reader) {
        val wasReading = isReading
        readers -= reader
        for (interest in interests.heldBy(reader)) {
            val holders = interests[interest]?.holders ?: continue
            holders -= reader
            if (holders.isEmpty()) drop(interest)
        }
        outbox.filter { it.readers.remove(reader) && it.readers.isEmpty() }.forEach { handOut(it.item) }
        outbox.removeIf { it.readers.isEmpty() }
        readAgain(now, wasReading)
        switchOver()
        noteChange(now)
    }

    private fun drop(interest: Interest) {
        interests.remove(interest)
        calls.forEach { it.pending -= interest }
        for (waiting in outbox) {
            when (val item = waiting.item) {
                is Item.Told -> if (item.event.interest == interest) waiting.readers.clear()
                is Item.Checkpoint -> waiting.item = Item.Checkpoint(item.raised - interest)
                is Item.Failed -> {}
            }
        }
    }

    /** The next event or failure for this reader. */
    fun take(now: Moment, reader: Reader): Item? {
        val wasReading = isReading
        val item = takeVisible(reader)
        readAgain(now, wasReading)
        return item?.let(reader::receive)
    }

    private fun takeVisible(reader: Reader): Item? {
        val waitings = outbox.iterator()
        for (waiting in waitings) {
            if (!waiting.readers.remove(reader)) continue
            if (waiting.readers.isEmpty()) {
                waitings.remove()
                handOut(waiting.item)
            }
            if (waiting.item !is Item.Checkpoint) return waiting.item
        }
        return null
    }

    /** Silence isn't counted while nobody reads, and starts anew. */
    private fun readAgain(now: Moment, wasReading: Boolean) {
        if (!wasReading && isReading) calls.forEach { it.lives(now) }
    }

    /** Every reader has it: it is part of the positions that a program may save. */
    private fun handOut(item: Item) {
        val reached = when (item) {
            is Item.Checkpoint -> item.raised
            is Item.Told -> item.event.saves()
            is Item.Failed -> emptyMap()
        }
        reached.forEach { (interest, position) -> interests[interest]?.handedOut = position }
    }

    /** Nothing is left for this reader, and nothing will come. */
    fun isDone(reader: Reader): Boolean =
        outbox.none { reader in it.readers } && (isOver || interests.heldBy(reader).isEmpty())

    /** There is no more of this interest: one that was over the limit may have room now. With the last one everything is over. */
    fun finish(now: Moment, interest: Interest) {
        interests.remove(interest)
        calls.forEach { it.forgo(interest) }
        if (interests.size == 0) stop() else noteChange(now)
    }

    fun tell(event: PokeEvent) =
        post(Item.Told(event), event.interest?.let { interests[it]?.holders ?: emptySet() } ?: readers)

    fun post(item: Item, to: Set<Reader>) {
        if (to.isNotEmpty()) outbox += Waiting(item, to.toMutableSet())
    }

    /** Who takes events just now. */
    fun readers(): List<Reader> = readers.toList()
}

/**
 * What may be saved once it is handled. The start of an interest that has lost something comes before its gap, and doesn't
 * count.
 */
private fun PokeEvent.saves(): Map<Interest, Position> = when (this) {
    is PokeEvent.Poke -> mapOf(interest to position)
    is PokeEvent.Gap -> mapOf(interest to position)
    is PokeEvent.Ended -> mapOf(interest to position)
    is PokeEvent.Live -> if (outcome == Outcome.GAP) emptyMap() else mapOf(interest to position)
    else -> emptyMap()
}
