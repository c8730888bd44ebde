package dev.poke

import dev.poke.v1.SubscribeRequest
import dev.poke.v1.SubscribeResponse
import kotlin.random.Random
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds
import dev.poke.v1.GapReason as WireGapReason
import dev.poke.v1.Outcome as WireOutcome

private val SPREAD = 5.seconds
private const val RUNS = 1000
private const val STEPS = 120
private const val INTERESTS = 4

/**
 * Never a silent loss: the state against a model of the server, with faults in any order.
 *
 * The model is the contract in its simplest form: one list of pokes, and calls that are queues of messages. Whatever happens,
 * in the end the program has been told each poke of a live interest once and in order, or a gap that covers it.
 */
internal class SimulationTest {
    @Test
    fun `the program gets each poke once and in order or a gap`() {
        repeat(RUNS) { seed ->
            try {
                World(Random(seed)).run()
            } catch (failed: Throwable) {
                throw AssertionError("seed $seed: ${failed.message}", failed)
            }
        }
    }
}

/** One call on the server's side. */
private class Serving(val epoch: Int) {
    val interests = mutableListOf<Interest>()
    val queue = ArrayDeque<SubscribeResponse>()

    /** The client has been asked to move. */
    var isAnnounced = false
}

private class Server {
    var epoch = 0
    var head = 0L
    var refuses = false
    val calls = sortedMapOf<CallId, Serving>()

    /** How many interests it accepts on a call. */
    var limit = INTERESTS

    /** The highest sequence that is no longer retained. */
    private var floor = 0L
    private var retained = listOf<Pair<Interest, Long>>()

    fun position(sequence: Long) = at(sequence, epoch.toString())

    fun publish(interest: Interest) {
        head++
        retained = retained + (interest to head)
        val holders = calls.values.filter { it.epoch == epoch && interest in it.interests }
        holders.forEach { it.queue += poke(interest.filter, position(head)) }
    }

    fun open(id: CallId, request: SubscribeRequest) {
        val call = Serving(epoch)
        // It never falls silent by itself.
        call.queue += welcome(heartbeat = 1_000_000, interests = limit)
        for (subscription in request.subscriptionsList) {
            val interest = filter(subscription.interest.filter)
            val after = if (subscription.hasAfter()) subscription.after else null
            val isForeign = after != null && (after.epoch != epoch.toString() || after.sequence > head)
            val reason = when {
                isForeign -> WireGapReason.GAP_REASON_EPOCH_CHANGED
                after != null && after.sequence < floor -> WireGapReason.GAP_REASON_EVICTED
                else -> null
            }
            val start = if (reason != null) floor else after?.sequence ?: head
            val outcome = if (reason != null) WireOutcome.OUTCOME_GAP else WireOutcome.OUTCOME_RECOVERED
            call.queue += subscribed(interest.filter, position(start), outcome)
            if (reason != null) call.queue += gap(interest.filter, reason, position(start))
            val history = retained.filter { it.first == interest && it.second > start }
            call.queue += history.map { poke(interest.filter, position(it.second)) }
            call.interests += interest
        }
        calls[id] = call
    }

    fun evict() {
        floor = head
        retained = emptyList()
    }

    /** Another server takes over with an empty log. Calls on the old one go on for a while. */
    fun restart() {
        epoch++
        head = 0
        floor = 0
        retained = emptyList()
    }

    /** What the call has not got of the interest is dropped, and a gap says so. No checkpoint passes a hole. */
    fun lag(call: Serving, interest: Interest) {
        val isBeginning = call.queue.any { it.hasSubscribed() && it.subscribed.interest.filter == interest.filter }
        if (call.epoch != epoch || interest !in call.interests || isBeginning) return
        call.queue.removeAll { it.hasHeartbeat() || (it.hasPoke() && it.poke.filter == interest.filter) }
        call.queue += gap(interest.filter, WireGapReason.GAP_REASON_LAGGED, position(head))
    }
}

/** What the program has been promised for an interest, and has been told: everything published after it was first live. */
private class Promise {
    var due = listOf<Pair<Int, Long>>()
    var isLive = false
    var isOverLimit = false

    fun fulfil(through: Position) {
        due = due.filter { compareValuesBy(it, place(through), { place -> place.first }, { place -> place.second }) > 0 }
    }
}

private fun place(position: Position) = position.epoch.toInt() to position.sequence

private class World(private val random: Random) {
    private val state = State(1000, canRefreshToken = false, dice = { it / 2 })
    private val server = Server()
    private val readers = mutableMapOf<Interest, Reader>()
    private val promises = mutableMapOf<Interest, Promise>()
    private var now = SECOND

    init {
        repeat(2, ::add)
    }

    fun run() {
        repeat(random.nextInt(STEPS)) { step() }
        settle()
        // The newest limit comes with a welcome.
        withCall(0) { _, call -> call.queue += reconnect(1, 1, 20) }
        settle()
        repeat(INTERESTS) { publish(it) }
        settle()
        promises.entries.forEachIndexed { index, (interest, promise) ->
            assertEquals(index >= server.limit, promise.isOverLimit, "$interest is over the limit")
            if (promise.isOverLimit) return@forEachIndexed
            assertTrue(promise.isLive, "$interest never became live")
            assertTrue(promise.due.isEmpty(), "$interest has silently lost ${promise.due}")
        }
    }

    private fun step() {
        val interest = random.nextInt(INTERESTS)
        when (random.nextInt(40)) {
            in 0..5 -> publish(interest)
            in 6..17 -> withCall(random.nextInt(2), ::deliver)
            in 18..21 -> takeAll(1)
            in 22..25 -> now = maxOf(now, state.deadline().takeIf { it != NEVER } ?: now)
            in 26..27 -> withCall(random.nextInt(2)) { _, call ->
                if (call.epoch == server.epoch) call.queue += heartbeat(server.position(server.head))
            }
            in 28..29 -> withCall(random.nextInt(2)) { _, call -> call.queue += reconnect(1, 1, 20) }
            in 30..31 -> withCall(random.nextInt(2), ::breakCall)
            32 -> withCall(random.nextInt(2)) { _, call -> server.lag(call, filter("$interest")) }
            33 -> withCall(random.nextInt(2)) { id, call ->
                if (call.queue.removeFirstOrNull() != null) state.onUndecodable(now, id, Exception("garbled"))
            }
            34 -> server.evict()
            35 -> server.restart()
            36 -> server.refuses = random.nextBoolean()
            37 -> server.limit = 1 + random.nextInt(INTERESTS)
            38 -> add(interest)
            39 -> remove(interest)
        }
        act()
    }

    private fun add(number: Int) {
        val interest = filter("$number")
        if (interest in readers) return
        val reader = Reader()
        assertTrue(state.join(now, reader, mapOf(interest to Start.New)))
        readers[interest] = reader
        promises[interest] = Promise()
    }

    private fun remove(number: Int) {
        val reader = readers.remove(filter("$number")) ?: return
        promises -= filter("$number")
        state.leave(now, reader)
    }

    /** Does what a driver does. */
    private fun act() {
        state.onTime(now)
        for (action in state.takeActions()) {
            when (action) {
                is Action.Open -> when {
                    server.refuses -> state.onEnd(now, action.id, failure(Code.UNAVAILABLE, "refused"))
                    action.request.subscriptionsCount > server.limit ->
                        state.onEnd(now, action.id, tooMany("${server.limit}"))
                    else -> server.open(action.id, action.request)
                }
                is Action.Close -> server.calls -= action.id
                is Action.Retire -> {}
            }
        }
        assertTrue(server.calls.size <= 2)
    }

    private fun withCall(number: Int, then: (CallId, Serving) -> Unit) {
        server.calls.entries.elementAtOrNull(number)?.let { (id, call) -> then(id, call) }
    }

    private fun deliver(id: CallId, call: Serving) {
        val message = call.queue.removeFirstOrNull() ?: return
        if (message.hasReconnect()) call.isAnnounced = true
        state.onMessage(now, id, message)
    }

    private fun breakCall(id: CallId, call: Serving) {
        server.calls -= id
        val hadCall = state.calls.size
        state.onEnd(now, id, failure(Code.UNAVAILABLE, "broken"))
        // However often something failed while the call lived: who was asked to leave is back as after a first loss.
        val isAlone = hadCall == 1 && state.calls.isEmpty() && state.interests.size > 0
        if (isAlone && call.isAnnounced) assertEquals(now + SPREAD / 2, state.notBefore)
    }

    private fun publish(number: Int) {
        val interest = filter("$number")
        server.publish(interest)
        promises[interest]?.let { it.due = it.due + (server.epoch to server.head) }
    }

    /** Each reader takes up to so many events. */
    private fun takeAll(most: Int) {
        for ((interest, reader) in readers) {
            repeat(most) {
                val item = state.take(now, reader) ?: return@repeat
                told(interest, (item as Item.Told).event)
            }
        }
    }

    private fun told(interest: Interest, event: PokeEvent) {
        assertTrue(event.interest == null || event.interest == interest, "an event of an interest that the reader doesn't hold")
        val promise = promises.getValue(interest)
        when (event) {
            is PokeEvent.Live -> {
                // What came before the first start was never promised.
                if (!promise.isLive) promise.fulfil(event.position)
                promise.isLive = true
                promise.isOverLimit = false
            }
            is PokeEvent.Poke -> {
                assertTrue(promise.isLive, "a poke before its interest is live")
                assertTrue(!promise.isOverLimit, "a poke of an interest that is over the limit")
                // A poke that isn't due has been told before, or comes after a later one.
                assertEquals(place(event.position), promise.due.firstOrNull(), "$interest")
                promise.due = promise.due.drop(1)
            }
            is PokeEvent.Gap -> promise.fulfil(event.position)
            is PokeEvent.Rejected -> promise.isOverLimit = true
            else -> {}
        }
    }

    /** From now on nothing goes wrong. */
    private fun settle() {
        server.refuses = false
        while (true) {
            withCall(0, ::deliver)
            act()
            withCall(1, ::deliver)
            act()
            takeAll(1)
            if (server.calls.values.any { it.queue.isNotEmpty() }) continue
            val isOld = server.calls.values.any { it.epoch != server.epoch }
            when {
                state.deadline() <= now + 100.seconds -> now = maxOf(now, state.deadline())
                isOld -> withCall(0, ::breakCall)
                else -> break
            }
            act()
        }
        takeAll(1000)
    }
}
