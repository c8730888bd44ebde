package dev.poke

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.SendChannel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.launch
import kotlinx.coroutines.selects.onTimeout
import kotlinx.coroutines.selects.select

/** One stream for all readers of a client: it carries what happens to the [State], and does what comes out. */
internal class Session(
    private val transport: Transport,
    private val tokens: Tokens,
    private val clock: () -> Moment,
    private val state: State,
) {
    /** Wakes the driver: the set has changed, or there is room for events again. */
    private val changed = Channel<Unit>(Channel.CONFLATED)

    val isOver: Boolean get() = synchronized(state) { state.isOver }

    /** Only here and in [step] is the state touched: always under its lock, and never for longer than it takes to think. */
    fun <T> change(action: State.(now: Moment) -> T): T =
        synchronized(state) { state.action(clock()) }.also { changed.trySend(Unit) }

    /** How many interests a call may carry, for the session after this one. */
    val limit: InterestLimit get() = synchronized(state) { state.interests.limit }

    /**
     * Tells [collector] what it wants, until there is no more. False: it is too late for this session. Throws if the server
     * has refused an interest for good and the collector hasn't handled that.
     */
    suspend fun tell(collector: FlowCollector<PokeEvent>, wants: Map<Interest, Start>): Boolean {
        val wake = Channel<Unit>(Channel.CONFLATED)
        val reader = Reader { wake.trySend(Unit) }
        if (!change { now -> join(now, reader, wants) }) return false
        try {
            while (true) {
                val (item, isDone) = take(reader)
                when {
                    item is Item.Told -> collector.emit(item.event)
                    item is Item.Failed -> throw item.error
                    isDone -> return reader.refusal()?.let { throw it } ?: true
                    else -> wake.receive()
                }
            }
        } finally {
            change { now -> leave(now, reader) }
        }
    }

    private fun take(reader: Reader): Pair<Item?, Boolean> = synchronized(state) {
        val wasReading = state.isReading
        val item = state.take(clock(), reader)
        if (!wasReading && state.isReading) changed.trySend(Unit)
        item to state.isDone(reader)
    }

    /** Runs until everything is over. */
    suspend fun drive() = try {
        coroutineScope {
            val signals = Channel<Pair<CallId, Signal>>(Channel.RENDEZVOUS)
            val calls = mutableMapOf<CallId, OpenCall>()
            do {
                val step = step()
                wakeReaders()
                step.actions.forEach { apply(it, calls, signals) }
                if (!step.isOver) await(step, signals)
            } while (!step.isOver)
            coroutineContext.cancelChildren()
        }
    } finally {
        // However it ends: nobody waits for ever.
        close()
    }

    /** Fails all readers with CLOSED, unless there is no more anyway. */
    fun close() {
        change { stop(PokeException(PokeException.Kind.CLOSED, "")) }
        wakeReaders()
    }

    /** Outside of the lock, since an unconfined reader goes on right here. */
    private fun wakeReaders() = synchronized(state) { state.readers() }.forEach { it.wake() }

    private class Step(val actions: List<Action>, val deadline: Moment, val isReading: Boolean, val isOver: Boolean)

    private class OpenCall(val link: Link, val job: Job)

    private fun step(): Step = synchronized(state) {
        state.onTime(clock())
        Step(state.takeActions(), state.deadline(), state.isReading, state.isOver)
    }

    private fun CoroutineScope.apply(
        action: Action,
        calls: MutableMap<CallId, OpenCall>,
        signals: SendChannel<Pair<CallId, Signal>>,
    ) {
        when (action) {
            is Action.Open -> {
                // Only what is open can be asked to move.
                calls.values.removeIf { it.job.isCompleted }
                val link = transport.current()
                calls[action.id] = OpenCall(link, launch { call(action, link, signals) })
            }
            is Action.Close -> calls.remove(action.id)?.job?.cancel()
            is Action.Retire -> calls[action.id]?.let { transport.retire(it.link) }
        }
    }

    /** One call, from its first attempt to its end. Nobody takes its signals while the program is behind, so it waits. */
    private suspend fun call(open: Action.Open, link: Link, signals: SendChannel<Pair<CallId, Signal>>) {
        try {
            tokens.authorized(open.staleToken) { token ->
                var hasAnswered = false
                try {
                    link.subscribe(open.request, token).collect { signal ->
                        hasAnswered = true
                        signals.send(open.id to signal)
                    }
                    signals.send(open.id to Signal.Closed)
                } catch (failed: PokeException) {
                    if (!hasAnswered) throw failed
                    signals.send(open.id to Signal.Failed(if (tokens.canRefresh) failed else failed.onceOnly()))
                }
            }
        } catch (failed: PokeException) {
            signals.send(open.id to Signal.Failed(failed))
        }
    }

    @OptIn(ExperimentalCoroutinesApi::class)
    private suspend fun await(step: Step, signals: Channel<Pair<CallId, Signal>>) = select {
        if (step.isReading) {
            signals.onReceive { (id, signal) -> synchronized(state) { state.on(clock(), id, signal) } }
        }
        changed.onReceive {}
        if (step.deadline != NEVER) onTimeout((step.deadline - clock()).coerceIn(Moment.ZERO, GLANCE)) {}
    }

    private fun State.on(now: Moment, id: CallId, signal: Signal) = when (signal) {
        is Signal.Message -> onMessage(now, id, signal.response)
        is Signal.Undecodable -> onUndecodable(now, id, signal.error)
        is Signal.Closed -> onClose(now, id)
        is Signal.Failed -> onEnd(now, id, signal.error)
    }
}
