package dev.poke

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.encodeToJsonElement
import okhttp3.OkHttpClient
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** Events that wait for a slow program; at 128 KiB a poke, 8 MiB at most. */
private const val EVENT_BUFFER = 64

/** How long a publish is tried unless it says otherwise. */
private val DEADLINE = 10.seconds

/**
 * A client of a Multicast Poke service: one stream for the interests of all flows that are collected, which connects, resumes
 * and moves between servers by itself. Keep one for the whole app. Safe to use from any thread.
 */
public class PokeClient internal constructor(
    private val transport: Transport,
    private val tokens: Tokens,
    private val clock: () -> Moment,
    private val eventBuffer: Int,
    private val dice: Dice,
    private val scope: CoroutineScope,
) : AutoCloseable {
    private val sender = Sender(transport, tokens, clock, dice, ::checkOpen)
    private val lock = Any()
    private var session: Session? = null
    private var isStarted = true
    private var isClosed = false

    /**
     * @param url `https://HOST` or `http://HOST:PORT`
     * @param token an API key or a JWT that never changes
     * @param tokenProvider is asked before the first call, when the server no longer accepts the last token, and when it says
     *   that the token is about to expire. When it throws, that counts as a lost connection
     * @param eventBuffer how many events wait for slow collectors, at least 1. Beyond that the client stops reading, and a
     *   server that must wait for too long reports a gap
     * @param elapsedRealtime a clock that runs while the device sleeps; by default Android's, elsewhere `System.nanoTime`
     * @param configureHttp for certificates, proxies and the like. Leave the timeouts as they are. The client has a dispatcher
     *   and connections of its own, whatever is set here
     * @throws PokeException [PokeException.Kind.CONFIG] for a URL or a token that can never work
     */
    public constructor(
        url: String,
        token: String? = null,
        tokenProvider: (suspend () -> String)? = null,
        protocol: Protocol = Protocol.GRPC,
        eventBuffer: Int = EVENT_BUFFER,
        elapsedRealtime: () -> Duration = deviceClock(),
        configureHttp: OkHttpClient.Builder.() -> Unit = {},
    ) : this(
        ConnectTransport(url, protocol, configureHttp),
        Tokens(token, tokenProvider, elapsedRealtime),
        elapsedRealtime,
        eventBuffer.coerceAtLeast(1),
        fairDice,
        CoroutineScope(SupervisorJob() + Dispatchers.Default),
    )

    /** See the other [pokes]. */
    public fun pokes(interest: Interest, latest: Boolean = false): Flow<PokeEvent> = pokes(listOf(interest), latest)

    /**
     * The events of [interests]. Cold: each collection holds them for as long as it lasts. Interests are counted: one that two
     * collections hold is one on the wire, each gets all of it from when it began, and it stays until both have left.
     *
     * It completes when each of its interests has ended, and throws a [PokeException] when no retry can help. When its last
     * interest is over and the server has refused one for good, it throws that refusal unless the collector has called
     * [PokeEvent.Rejected.markHandled]. It doesn't end for reasons that pass. While one collector of a client is 64 events
     * behind, the server is made to wait.
     *
     * A stream carries as many interests as the server allows, in the order in which they were added. Each of the others is
     * told [PokeEvent.Rejected] with the reason `TOO_MANY_INTERESTS`, which is not final, and is asked for when there is room.
     *
     * @param latest begin with the newest retained poke; otherwise with new ones only
     * @param positions of an earlier process: what it has not seen of these interests comes first, or a gap
     */
    public fun pokes(
        interests: Collection<Interest>,
        latest: Boolean = false,
        positions: List<SavedPosition> = emptyList(),
    ): Flow<PokeEvent> = flow {
        val saved = positions.associate { it.interest to Start.After(it.position) }
        val wants = interests.associateWith { saved[it] ?: if (latest) Start.Latest else Start.New }
        wants.keys.forEach { listOf(it.domain, it.filter).forEach { part -> unicode(part, "interest") } }
        if (wants.isEmpty()) return@flow
        while (!session().tell(this, wants)) {
            // Its last interest ended in this moment: the next session is another.
        }
    }

    private fun session(): Session = synchronized(lock) {
        checkOpen()
        session?.takeUnless { it.isOver } ?: newSession(session?.limit ?: InterestLimit()).also { session = it }
    }

    private fun checkOpen() = synchronized(lock) {
        if (isClosed) throw PokeException(PokeException.Kind.CLOSED, "")
    }

    private fun newSession(limit: InterestLimit): Session {
        val state = State(eventBuffer, tokens.canRefresh, dice, limit)
        state.isPaused = !isStarted
        return Session(transport, tokens, clock, state).also { scope.launch { it.drive() } }
    }

    /**
     * How far each interest that is held has been read: through the last event that its collectors have taken. Save them when
     * those are handled, and give them to [pokes] to go on there, also in another process.
     */
    public fun positions(): List<SavedPosition> =
        synchronized(lock) { session }?.change { interests.positions() }.orEmpty()

    /** Sends [data] of a serializable type. See the other [publish] for the rest. */
    public suspend inline fun <reified T : Any> publish(
        domain: String,
        filter: String,
        data: T,
        customerId: String? = null,
        idempotencyKey: String? = null,
        deadline: Duration = 10.seconds,
        json: Json = PokeJson,
    ): Published = publish(domain, filter, json.encodeToJsonElement(data), customerId, idempotencyKey, deadline)

    /**
     * Sends one poke, and tries again under one key until the server has answered or [deadline] has passed. Without [data] it
     * is undefined; JSON's null is [kotlinx.serialization.json.JsonNull].
     *
     * @param customerId the one customer whom it is for, in a domain of that audience
     * @param idempotencyKey names the call, so that a repeat isn't a second one: 1 to 128 printable ASCII characters
     * @throws PokeException [PokeException.Kind.UNAVAILABLE] after the deadline: the outcome is unknown, and the same key may be
     *   used again. [PokeException.Kind.REFUSED] when the server said no, [PokeException.Kind.DATA] when nothing was sent
     */
    public suspend fun publish(
        domain: String,
        filter: String,
        data: JsonElement? = null,
        customerId: String? = null,
        idempotencyKey: String? = null,
        deadline: Duration = DEADLINE,
    ): Published = sender.publish(Letter(domain, filter, data, customerId, idempotencyKey, deadline))

    /**
     * Tells the subscribers of an interest that there is no more; [data] is a last word. Repeats answer with the first position.
     * See [publish] for the rest.
     */
    public suspend fun endInterest(
        domain: String,
        filter: String,
        data: JsonElement? = null,
        customerId: String? = null,
        idempotencyKey: String? = null,
        deadline: Duration = DEADLINE,
    ): Position = sender.endInterest(Letter(domain, filter, data, customerId, idempotencyKey, deadline))

    /** Connects again after [stop], at once. A new client is started. */
    public fun start(): Unit = setStarted(true)

    /**
     * Ends the stream, for an app that goes to the background. Flows go on and are silent; interests and positions are kept, so
     * that after [start] nothing is lost, or a gap says so.
     */
    public fun stop(): Unit = setStarted(false)

    private fun setStarted(started: Boolean) = synchronized(lock) {
        isStarted = started
        session?.change { now -> if (started) resume(now) else pause() }
        Unit
    }

    /** The device has another network, or one again: moves to it at once instead of finding out. */
    public fun networkChanged() {
        transport.retire(transport.current())
        synchronized(lock) { session }?.change { now -> onNetworkChange(now) }
    }

    /** Cancels everything. Flows and calls that are still under way fail with [PokeException.Kind.CLOSED]. */
    override fun close() {
        // The session may not be driven yet, and never will be.
        synchronized(lock) { isClosed = true; session }?.close()
        scope.cancel()
        transport.close()
    }
}
