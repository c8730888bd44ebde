package dev.poke

import com.google.protobuf.duration
import dev.poke.v1.EndInterestRequest
import dev.poke.v1.EndInterestResponse
import dev.poke.v1.PublishRequest
import dev.poke.v1.PublishResponse
import dev.poke.v1.ReconnectReason
import dev.poke.v1.SubscribeRequest
import dev.poke.v1.SubscribeResponse
import dev.poke.v1.Subscription
import dev.poke.v1.ended
import dev.poke.v1.errorInfo
import dev.poke.v1.gap
import dev.poke.v1.heartbeat
import dev.poke.v1.interest
import dev.poke.v1.limits
import dev.poke.v1.poke
import dev.poke.v1.position
import dev.poke.v1.publishResponse
import dev.poke.v1.reconnect
import dev.poke.v1.rejected
import dev.poke.v1.subscribeResponse
import dev.poke.v1.subscribed
import dev.poke.v1.welcome
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.onCompletion
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.test.assertEquals
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import com.google.protobuf.Duration as WireDuration
import dev.poke.v1.GapReason as WireGapReason
import dev.poke.v1.Outcome as WireOutcome
import dev.poke.v1.Position as WirePosition

/** Plays a scripted server to a real client, on a clock that stands still while nobody waits. */
internal fun peerTest(body: suspend Peer.() -> Unit) = runTest { Peer(this).body() }

/** A server of which a test plays every message. */
internal class Peer(private val scope: TestScope) : Transport {
    private val calls = Channel<PeerCall>(16)
    private var connections = 0
    private var open: PeerLink? = null

    /** What each new call fails with. */
    var refusal: PokeException? = null

    /** How long the device has slept. */
    var slept = Duration.ZERO

    val now: Duration get() = scope.currentTime.milliseconds + slept

    fun client(
        token: String? = null,
        tokenProvider: (suspend () -> String)? = null,
        eventBuffer: Int = 64,
        dice: Dice = fairDice,
    ): PokeClient {
        val clock = { now }
        val ours = scope.backgroundScope.coroutineContext
        val theirs = CoroutineScope(ours + SupervisorJob(ours.job))
        return PokeClient(this, Tokens(token, tokenProvider, clock), clock, eventBuffer, dice, theirs)
    }

    /** Collects these filters' pokes for as long as the test lasts. */
    fun listen(client: PokeClient, vararg filters: String): Heard = listen(client.pokes(filters.map(::filter)))

    fun listen(pokes: Flow<PokeEvent>): Heard {
        val told = Channel<Any>(Channel.RENDEZVOUS)
        val job = scope.backgroundScope.launch {
            pokes.catch { told.send(it) }.onCompletion { told.close() }.collect { told.send(it) }
        }
        return Heard(told, job)
    }

    /** Pokes of these filters that are live from position 0 on, and their call. */
    suspend fun start(vararg filters: String, client: PokeClient = client()): Pair<Heard, PeerCall> {
        val pokes = listen(client, *filters)
        val call = call()
        call.send(welcome())
        assertEquals("connected", pokes.next())
        for (filter in filters) {
            call.send(fresh(filter, 0))
            assertEquals("live $filter FRESH", pokes.next())
        }
        return pokes to call
    }

    /** The next call that the client makes. */
    suspend fun call(): PeerCall = calls.receive()

    suspend fun isQuietFor(time: Duration): Boolean = withTimeoutOrNull(time) { calls.receive() } == null

    /** Lets time go by, for everybody. */
    suspend fun quiet(time: Duration) = delay(time)

    override fun current(): Link = open ?: PeerLink(connections++).also { open = it }

    override fun retire(link: Link) {
        if (link === open) open = null
    }

    override fun close() {}

    private inner class PeerLink(private val number: Int) : Link {
        override fun subscribe(request: SubscribeRequest, token: String?): Flow<Signal> = flow {
            val call = begin(request, token)
            try {
                for (frame in call.frames) emit(frame as? Signal ?: throw frame as PokeException)
            } finally {
                call.cancelled.complete(Unit)
            }
        }

        override suspend fun publish(request: PublishRequest, token: String?): PublishResponse =
            when (val frame = begin(request, token).frames.receive()) {
                is PublishResponse -> frame
                else -> throw frame as PokeException
            }

        override suspend fun endInterest(request: EndInterestRequest, token: String?): EndInterestResponse =
            when (val frame = begin(request, token).frames.receive()) {
                is EndInterestResponse -> frame
                else -> throw frame as PokeException
            }

        private suspend fun begin(request: Any, token: String?): PeerCall {
            refusal?.let { throw it }
            return PeerCall(number, request, token).also { calls.send(it) }
        }
    }
}

/** One call that the client has made, on the connection of this number. */
internal class PeerCall(val connection: Int, val request: Any, val token: String?) {
    val frames = Channel<Any>(1)
    val cancelled = CompletableDeferred<Unit>()

    val subscriptions: List<Subscription> get() = (request as SubscribeRequest).subscriptionsList

    /** The filters asked for, each with its `after` sequence. */
    val asks: Map<String, Long?>
        get() = subscriptions.associate { it.interest.filter to if (it.hasAfter()) it.after.sequence else null }

    suspend fun send(vararg messages: SubscribeResponse) = messages.forEach { frames.send(Signal.Message(it)) }

    suspend fun garble() = frames.send(Signal.Undecodable(Exception("garbled")))

    suspend fun accept(sequence: Long) = frames.send(publishResponse { position = at(sequence); localReceiverCount = 3 })

    /** The server ends the call with OK. */
    fun finish() = frames.close()

    /** What the network does to a call. */
    suspend fun reset() = fail(failure(Code.UNAVAILABLE, "reset"))

    suspend fun fail(error: PokeException) = frames.send(error)
}

/** What a flow has told. */
internal class Heard(private val told: Channel<Any>, private val job: Job) {
    /** In a few words, for example `poke a 7`. */
    suspend fun next(): String = when (val told = nextOrEnd()) {
        null -> "over"
        is PokeEvent -> told(told)
        else -> "failed ${(told as PokeException).kind}"
    }

    suspend fun nextOrEnd(): Any? = told.receiveCatching().getOrNull()

    suspend fun reconnecting(): PokeEvent.Reconnecting = nextOrEnd() as PokeEvent.Reconnecting

    /** The next event after `connected`. */
    suspend fun resumed(): String {
        assertEquals("connected", next())
        return next()
    }

    fun leave() = job.cancel()
}

internal fun told(event: PokeEvent): String = when (event) {
    is PokeEvent.Poke -> "poke ${event.interest.filter} ${event.position.sequence}"
    is PokeEvent.Gap -> "gap ${event.interest.filter} ${event.reason} ${event.position.sequence}"
    is PokeEvent.Ended -> "ended ${event.interest.filter} ${event.position.sequence}"
    is PokeEvent.Rejected -> "rejected ${event.interest.filter} ${event.isFinal}"
    is PokeEvent.Live -> "live ${event.interest.filter} ${event.outcome}"
    is PokeEvent.Connected -> "connected"
    is PokeEvent.Reconnecting -> "reconnecting"
}

internal fun filter(name: String) = Interest("D", name)

/** An error of the server itself. */
internal fun refusal(code: Code, reason: String = "REASON", retryAfter: Duration? = null): PokeException =
    failure(code, reason, Details(errorInfo { this.reason = reason; domain = "poke.v1" }, retryAfter))

/** The server accepts fewer interests on a stream. */
internal fun tooMany(limit: String): PokeException {
    val info = errorInfo { reason = "TOO_MANY_INTERESTS"; domain = "poke.v1"; metadata["limit"] = limit }
    return failure(Code.INVALID_ARGUMENT, "too many", Details(info))
}

/** A position of the epoch "e". */
internal fun at(sequence: Long, epoch: String = "e"): WirePosition =
    position { this.epoch = epoch; this.sequence = sequence }

private fun wire(filter: String) = interest { domain = "D"; this.filter = filter }

private fun seconds(count: Long): WireDuration = duration { seconds = count }

internal fun welcome(heartbeat: Long = 20, interests: Int = 3): SubscribeResponse = subscribeResponse {
    welcome = welcome {
        streamId = "stream"
        heartbeatInterval = seconds(heartbeat)
        limits = limits { maxInterests = interests; maxPokeBytes = 131_072; maxDataDepth = 24; retentionWindow = seconds(600) }
        reconnectSpread = seconds(5)
    }
}

internal fun subscribed(filter: String, at: WirePosition, how: WireOutcome): SubscribeResponse = subscribeResponse {
    subscribed = subscribed { interest = wire(filter); position = at; outcome = how }
}

internal fun fresh(filter: String, sequence: Long) = subscribed(filter, at(sequence), WireOutcome.OUTCOME_FRESH)

internal fun recovered(filter: String, sequence: Long) = subscribed(filter, at(sequence), WireOutcome.OUTCOME_RECOVERED)

internal fun poke(filter: String, at: WirePosition): SubscribeResponse = subscribeResponse {
    poke = poke { domain = "D"; this.filter = filter; position = at }
}

internal fun poke(filter: String, sequence: Long) = poke(filter, at(sequence))

internal fun gap(filter: String?, why: WireGapReason, at: WirePosition): SubscribeResponse = subscribeResponse {
    gap = gap {
        if (filter != null) interest = wire(filter)
        reason = why
        position = at
    }
}

internal fun ended(filter: String, sequence: Long): SubscribeResponse = subscribeResponse {
    ended = ended { interest = wire(filter); position = at(sequence) }
}

internal fun rejected(filter: String, why: Code, retryAfter: Long? = null): SubscribeResponse = subscribeResponse {
    rejected = rejected {
        interest = wire(filter)
        code = why.ordinal
        reason = "REASON"
        message = "no"
        if (retryAfter != null) retryDelay = seconds(retryAfter)
    }
}

internal fun heartbeat(vararg at: WirePosition): SubscribeResponse = subscribeResponse {
    heartbeat = heartbeat { checkpoints += at.toList() }
}

internal fun reconnect(
    min: Long,
    max: Long,
    closes: Long,
    why: ReconnectReason = ReconnectReason.RECONNECT_REASON_DRAIN,
): SubscribeResponse = subscribeResponse {
    reconnect = reconnect {
        minDelay = seconds(min)
        maxDelay = seconds(max)
        closesAfter = seconds(closes)
        reason = why
    }
}

internal val SECOND = 1.seconds
