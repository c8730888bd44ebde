package dev.poke

import dev.poke.v1.Latest
import dev.poke.v1.SubscribeRequest
import dev.poke.v1.Subscription

/** One who takes events: a flow that is collected. */
internal class Reader(val wake: () -> Unit = {}) {
    private val refused = mutableListOf<PokeEvent.Rejected>()

    /** The item as this reader gets it: a final rejection is a copy of its own, because each reader marks its own as handled. */
    fun receive(item: Item): Item {
        val event = (item as? Item.Told)?.event
        if (event !is PokeEvent.Rejected || !event.isFinal) return item
        return Item.Told(event.copy().also(refused::add))
    }

    /** The error that the reader's flow ends with, or null if each final rejection was handled. */
    fun refusal(): PokeException? = refused.filterNot { it.isHandled }.takeIf { it.isNotEmpty() }?.let(::refused)
}

/**
 * An interest that somebody holds.
 *
 * [generation] tells it from what it was before it was removed and added again, or before it fell over the limit: a call
 * that carries an earlier generation no longer delivers it.
 */
internal class Entry(var generation: Long, var start: Start) {
    val holders = mutableSetOf<Reader>()

    /** The newest position that the program has taken. */
    var handedOut: Position? = saved

    /** The newest call on which it is live. What older calls still deliver is dropped. */
    var owner: CallId? = null

    /** Its call has said that a gap comes next. Until then no checkpoint may raise the saved position past the loss. */
    var awaitsGap = false

    /** Its position was given up because of a message that could not be read: the program must hear of a gap. */
    var owesGap = false

    /** Refused until then. */
    var retryAt: Moment? = null

    /** Its holders have been told that no call carries it, because the calls are full. */
    var isOverLimit = false

    val saved: Position? get() = (start as? Start.After)?.position

    /** Whether [call] may say something about it: no newer call delivers it. */
    fun heeds(call: CallId): Boolean = owner.let { it == null || it <= call }

    fun hasSeen(position: Position): Boolean = saved?.let(position::isAtOrBefore) ?: false

    /** Whether [position] is news, or counts [always]. It is saved then. */
    fun advance(position: Position, always: Boolean = false): Boolean {
        val counts = always || !hasSeen(position)
        if (counts) start = Start.After(position)
        return counts
    }
}

/**
 * All interests that somebody holds: how far they have been read, and which call delivers them.
 *
 * They are in the order in which they were added. Calls carry the first ones, up to the limit.
 */
internal class Interests(var limit: InterestLimit = InterestLimit()) {
    private val entries = linkedMapOf<Interest, Entry>()
    private var newest = 0L

    val size: Int get() = entries.size

    /** What a call may carry: the first interests, up to the limit. */
    private val admitted: Map<Interest, Entry>
        get() = if (size <= limit.count) entries else entries.entries.take(limit.count).associate { it.key to it.value }

    operator fun get(interest: Interest): Entry? = entries[interest]

    operator fun contains(interest: Interest): Boolean = interest in entries

    /** It is there already, or starts at [start]. */
    fun add(interest: Interest, start: Start): Entry = entries.getOrPut(interest) { Entry(++newest, start) }

    fun remove(interest: Interest) {
        entries -= interest
    }

    /**
     * Marks which interests are over the limit, once that is known, and returns those that weren't before. No call delivers
     * them any more; their positions stay.
     */
    fun markOverLimit(): List<Interest> {
        if (!limit.isKnown) return emptyList()
        val fallen = mutableListOf<Interest>()
        entries.entries.forEachIndexed { index, (interest, entry) ->
            val wasOverLimit = entry.isOverLimit
            entry.isOverLimit = index >= limit.count
            if (entry.isOverLimit && !wasOverLimit) {
                fallen += interest
                entry.generation = ++newest
                entry.owner = null
                entry.awaitsGap = false
            }
        }
        return fallen
    }

    fun heldBy(reader: Reader): List<Interest> = entries.filterValues { reader in it.holders }.keys.toList()

    /** When there is something to ask for. */
    fun due(): Moment = admitted.values.minOfOrNull { it.retryAt ?: Moment.ZERO } ?: NEVER

    /** When a refused interest may be asked for again. */
    fun nextRetry(): Moment = admitted.values.minOfOrNull { it.retryAt ?: NEVER } ?: NEVER

    /** Whether a call that carries these carries what should be live. What is refused for a while isn't missed. */
    fun equal(carried: Map<Interest, Long>): Boolean =
        admitted.filterValues { it.retryAt == null }.mapValues { it.value.generation } == carried

    /** What to ask for now, and the generation of each. */
    fun request(now: Moment): Pair<SubscribeRequest, Map<Interest, Long>> {
        val due = admitted.filterValues { entry -> entry.retryAt.let { it == null || it <= now } }
        val request = SubscribeRequest.newBuilder()
        for ((interest, entry) in due) {
            entry.retryAt = null
            val subscription = Subscription.newBuilder().setInterest(interest.toWire())
            when (val start = entry.start) {
                Start.New -> {}
                Start.Latest -> subscription.latest = Latest.getDefaultInstance()
                is Start.After -> subscription.after = start.position.toWire()
            }
            request.addSubscriptions(subscription)
        }
        return request.build() to due.mapValues { it.value.generation }
    }

    /** What [call] delivers. */
    fun ownedBy(call: CallId): Map<Interest, Entry> = entries.filterValues { it.owner == call }

    /** [call] is over. Its interests are never given back to an older one, which may have delivered what was dropped. */
    fun release(call: CallId) = ownedBy(call).values.forEach {
        it.owner = null
        it.awaitsGap = false
    }

    /** Nobody knows how far these have come on [call]: they start afresh. What another call delivers isn't concerned. */
    fun forget(call: CallId, carried: Set<Interest>) {
        for (entry in carried.mapNotNull(entries::get).filter { it.owner == null || it.owner == call }) {
            entry.owesGap = entry.owesGap || entry.start != Start.New
            entry.start = Start.New
        }
    }

    /** What the program has taken. */
    fun positions(): List<SavedPosition> = entries.mapNotNull { (interest, entry) ->
        entry.handedOut?.let { SavedPosition(interest.domain, interest.filter, interest.audience, it) }
    }
}
