import dev.poke.Audience
import dev.poke.Interest
import dev.poke.PokeClient
import dev.poke.PokeEvent
import dev.poke.PokeException
import dev.poke.Protocol
import dev.poke.SavedPosition
import dev.poke.encodedSize
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.decodeFromJsonElement
import kotlinx.serialization.json.encodeToJsonElement
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.longOrNull
import kotlinx.serialization.json.put
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicReference
import kotlin.time.Duration.Companion.milliseconds

/** The adapter of the Kotlin SDK, over gRPC or, with the argument `web`, over gRPC-Web. See interop/README.md. */
fun main(args: Array<String>) {
    val adapter = Adapter(if ("web" in args) Protocol.GRPC_WEB else Protocol.GRPC)
    say(
        buildJsonObject {
            put("ready", true); put("version", "multicast-poke 0.1.0, Kotlin ${KotlinVersion.CURRENT}, JVM ${Runtime.version()}")
        },
    )
    runBlocking(Dispatchers.Default) {
        generateSequence(::readLine).forEach { line -> launch { adapter.answer(Json.parseToJsonElement(line).jsonObject) } }
    }
}

private class Unsupported(why: String) : Exception(why)

private class Adapter(private val protocol: Protocol) {
    private val scope = CoroutineScope(Dispatchers.Default)
    private val clients = ConcurrentHashMap<String, PokeClient>()
    private val subscriptions = ConcurrentHashMap<String, Subscription>()

    suspend fun answer(command: JsonObject) {
        val answer = try {
            "ok" to handle(command)
        } catch (refused: PokeException) {
            "error" to told(refused)
        } catch (unsupported: Unsupported) {
            "unsupported" to JsonPrimitive(unsupported.message)
        } catch (bug: Exception) {
            "error" to buildJsonObject { put("message", "$bug") }
        }
        say(buildJsonObject { put("id", command.getValue("id")); put(answer.first, answer.second) })
    }

    private suspend fun handle(command: JsonObject): JsonObject {
        val nothing = JsonObject(emptyMap())
        return when (val name = command.text("command")) {
            "open" -> nothing.also { clients[command.text("client")] = open(command) }
            "subscribe" -> nothing.also { subscribe(command) }
            "add" -> nothing.also { subscription(command).listen(listOf(command.getValue("interest").jsonObject)) }
            "remove" -> nothing.also { subscription(command).remove(interest(command.getValue("interest").jsonObject)) }
            "pause" -> nothing.also { subscription(command).isPaused.value = true }
            "resume" -> nothing.also { subscription(command).isPaused.value = false }
            "positions" -> buildJsonObject { put("positions", Json.encodeToJsonElement(subscription(command).positions())) }
            "cancel" -> nothing.also { subscriptions.remove(command.text("subscription"))?.cancel() }
            "publish" -> publish(command)
            "end" -> buildJsonObject { put("position", Json.encodeToJsonElement(end(command))) }
            "size" -> buildJsonObject { put("bytes", encodedSize(data(command))) }
            "close" -> nothing.also { close(clients.getValue(command.text("client"))) }
            else -> throw Unsupported("no command $name")
        }
    }

    private fun open(command: JsonObject): PokeClient {
        val tokens = command["tokens"]?.jsonArray.orEmpty().map { it.jsonPrimitive.content }
        if (tokens.size < 2) return PokeClient(command.text("url"), tokens.firstOrNull(), protocol = protocol)
        val left = ArrayDeque(tokens)
        val provider = suspend { if (left.size > 1) left.removeFirst() else left.first() }
        return PokeClient(command.text("url"), tokenProvider = provider, protocol = protocol)
    }

    private fun subscribe(command: JsonObject) {
        val name = command.text("subscription")
        val subscription = Subscription(name, clients.getValue(command.text("client")), scope)
        subscriptions[name] = subscription
        // The start is that of a flow: those at the latest poke are a flow of their own.
        command.getValue("interests").jsonArray.map { it.jsonObject }.groupBy { it["latest"] }.values.forEach(subscription::listen)
    }

    private suspend fun close(client: PokeClient) {
        subscriptions.values.filter { it.client === client }.forEach { it.cancel() }
        client.close()
    }

    private suspend fun publish(command: JsonObject): JsonObject {
        val published = clients.getValue(command.text("client")).publish(
            command.text("domain"), command.text("filter"), data(command), command["customerId"]?.jsonPrimitive?.content,
            command["idempotencyKey"]?.jsonPrimitive?.content, deadline(command),
        )
        return buildJsonObject {
            put("position", Json.encodeToJsonElement(published.position))
            put("duplicate", published.duplicate)
            published.localReceiverCount?.let { put("localReceiverCount", it) }
        }
    }

    private suspend fun end(command: JsonObject) = clients.getValue(command.text("client")).endInterest(
        command.text("domain"), command.text("filter"), data(command), command["customerId"]?.jsonPrimitive?.content,
        command["idempotencyKey"]?.jsonPrimitive?.content, deadline(command),
    )

    private fun deadline(command: JsonObject) = (command["deadlineMs"]?.jsonPrimitive?.longOrNull ?: 10_000).milliseconds

    private fun subscription(command: JsonObject) = subscriptions.getValue(command.text("subscription"))
}

/** The flows that are one subscription here: Kotlin's have a fixed set of interests. */
private class Subscription(private val name: String, val client: PokeClient, private val scope: CoroutineScope) {
    val isPaused = MutableStateFlow(false)
    private val parts = CopyOnWriteArrayList<Part>()

    /** What the first part that failed has thrown. The subscription ends with it. */
    private val failure = AtomicReference<PokeException>()

    private class Part(val interests: List<Interest>) {
        lateinit var job: Job
    }

    fun listen(interests: List<JsonObject>) {
        val saved = interests.filter { "position" in it }.map { JsonObject(it - "latest") }
        val positions = saved.map { Json.decodeFromJsonElement<SavedPosition>(it) }
        val isLatest = interests.any { it["latest"] == JsonPrimitive(true) }
        val part = Part(interests.map(::interest))
        parts += part
        // Undispatched: the interests are added before the command is answered, in the order of the commands.
        part.job = scope.launch(start = CoroutineStart.UNDISPATCHED) {
            try {
                client.pokes(part.interests, isLatest, positions).collect { event ->
                    isPaused.first { !it }
                    // Each part hears of the connection: one is enough.
                    if (event.interest != null || parts.first() === part) tell(told(event))
                }
            } catch (failed: PokeException) {
                failure.compareAndSet(null, failed)
            }
            val isLast = synchronized(parts) { parts.remove(part) && parts.isEmpty() }
            if (isLast) tell(end(failure.get()))
        }
    }

    private fun end(failure: PokeException?) = buildJsonObject {
        put("event", if (failure == null) "over" else "failed")
        if (failure != null) put("error", told(failure))
    }

    suspend fun remove(interest: Interest) {
        val part = parts.find { it.interests == listOf(interest) } ?: throw Unsupported("it is of a flow with others")
        part.job.cancelAndJoin()
        parts -= part
    }

    fun positions(): List<SavedPosition> =
        client.positions().filter { saved -> parts.any { saved.interest in it.interests } }

    suspend fun cancel() = parts.forEach { it.job.cancelAndJoin() }

    private fun tell(event: JsonObject) = say(buildJsonObject { put("subscription", name); put("event", event) })
}

private fun interest(json: JsonObject) =
    Interest(json.text("domain"), json.text("filter"), if ("audience" in json) Audience.CUSTOMER else Audience.EVERYONE)

private fun data(command: JsonObject): JsonElement? = when (val special = command["special"]?.jsonPrimitive?.content) {
    null -> command["data"]
    "nan" -> JsonPrimitive(Double.NaN)
    "infinity" -> JsonPrimitive(Double.POSITIVE_INFINITY)
    "unsafe_integer" -> JsonPrimitive(9_007_199_254_740_993)
    "lone_surrogate" -> JsonPrimitive("\uD800")
    else -> throw Unsupported("no special value $special")
}

private fun told(event: PokeEvent): JsonObject = buildJsonObject {
    event.interest?.let {
        put("domain", it.domain)
        put("filter", it.filter)
        if (it.audience == Audience.CUSTOMER) put("audience", "AUDIENCE_CUSTOMER")
    }
    when (event) {
        is PokeEvent.Poke -> {
            put("event", "poke")
            put("position", Json.encodeToJsonElement(event.position))
            put("publishTime", "${event.publishTime}")
            event.data?.let { put("data", it) }
        }
        is PokeEvent.Gap -> {
            put("event", "gap")
            put("reason", event.reason.name)
            put("position", Json.encodeToJsonElement(event.position))
            event.missedCount?.let { put("missedCount", it) }
            put("reloadAfterMs", event.reloadAfter.inWholeMilliseconds)
        }
        is PokeEvent.Ended -> {
            put("event", "ended")
            put("position", Json.encodeToJsonElement(event.position))
            event.data?.let { put("data", it) }
        }
        is PokeEvent.Rejected -> {
            put("event", "rejected")
            put("code", event.code.name)
            put("reason", event.reason)
            put("message", event.message)
            put("final", event.isFinal)
        }
        is PokeEvent.Live -> {
            put("event", "live")
            put("position", Json.encodeToJsonElement(event.position))
            put("outcome", event.outcome.name)
        }
        is PokeEvent.Connected -> {
            put("event", "connected")
            put("streamId", event.streamId)
        }
        is PokeEvent.Reconnecting -> {
            put("event", "reconnecting")
            put("cause", "${event.cause.message}")
            put("delayMs", event.delay.inWholeMilliseconds)
        }
    }
}

private fun told(error: PokeException): JsonObject = buildJsonObject {
    error.code?.let { put("code", it.name) }
    error.reason?.let { put("reason", it) }
    error.httpStatus?.let { put("httpStatus", it) }
    put("message", "${error.message}")
}

private fun JsonObject.text(field: String) = getValue(field).jsonPrimitive.content

private fun say(line: JsonObject) = synchronized(System.out) {
    println(line)
    System.out.flush()
}
