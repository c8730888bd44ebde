import com.google.protobuf.Duration
import com.google.protobuf.Value
import com.google.protobuf.util.Durations
import com.google.protobuf.util.JsonFormat
import com.google.protobuf.util.Timestamps
import com.google.rpc.ErrorInfo
import dev.poke.v1.Audience
import dev.poke.v1.EndInterestRequest
import dev.poke.v1.Interest
import dev.poke.v1.Latest
import dev.poke.v1.PokeServiceGrpcKt.PokeServiceCoroutineStub
import dev.poke.v1.Position
import dev.poke.v1.PublishRequest
import dev.poke.v1.SubscribeRequest
import dev.poke.v1.SubscribeResponse
import dev.poke.v1.SubscribeResponse.EventCase
import dev.poke.v1.Subscription
import io.grpc.ManagedChannelBuilder
import io.grpc.Metadata
import io.grpc.Status
import io.grpc.StatusException
import io.grpc.protobuf.StatusProto
import io.grpc.stub.MetadataUtils
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.longOrNull
import kotlinx.serialization.json.put
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.TimeUnit

/** The adapter of grpc-kotlin's plain stubs over Netty. See interop/README.md. */
fun main() {
    say(buildJsonObject { put("ready", true); put("version", "grpc-kotlin 1.5.0, JVM ${Runtime.version()}") })
    val adapter = Adapter()
    runBlocking(Dispatchers.Default) {
        generateSequence(::readLine).forEach { line -> launch { adapter.answer(Json.parseToJsonElement(line).jsonObject) } }
    }
}

private class Unsupported(why: String) : Exception(why)

private class Client(val stub: PokeServiceCoroutineStub, val deadline: Long?, val close: () -> Unit)

private class Listening(val client: Client) {
    val isPaused = MutableStateFlow(false)
    lateinit var job: Job
}

private class Adapter {
    private val scope = CoroutineScope(Dispatchers.Default)
    private val clients = ConcurrentHashMap<String, Client>()
    private val subscriptions = ConcurrentHashMap<String, Listening>()

    suspend fun answer(command: JsonObject) {
        val answer = try {
            "ok" to handle(command)
        } catch (refused: StatusException) {
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
        val client = { clients.getValue(command.text("client")) }
        val subscription = { subscriptions.getValue(command.text("subscription")) }
        return when (val name = command.text("command")) {
            "open" -> nothing.also { clients[command.text("client")] = open(command) }
            "subscribe" -> nothing.also { subscribe(command, client()) }
            "pause" -> nothing.also { subscription().isPaused.value = true }
            "resume" -> nothing.also { subscription().isPaused.value = false }
            "cancel" -> nothing.also { subscriptions.remove(command.text("subscription"))?.job?.cancelAndJoin() }
            "publish" -> publish(client().withDeadline(command), command)
            "end" -> buildJsonObject {
                val request = EndInterestRequest.parseFrom(request(command).toByteString())
                put("position", told(client().withDeadline(command).endInterest(request).position))
            }
            "close" -> nothing.also {
                subscriptions.values.filter { it.client === client() }.forEach { it.job.cancelAndJoin() }
                client().close()
            }
            else -> throw Unsupported("plain stubs have no $name")
        }
    }

    private fun open(command: JsonObject): Client {
        val address = command.text("url").removePrefix("http://")
        val channel = ManagedChannelBuilder.forTarget(address).usePlaintext().build()
        val headers = Metadata()
        command["tokens"]?.jsonArray?.firstOrNull()?.let {
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer ${it.jsonPrimitive.content}")
        }
        val stub = PokeServiceCoroutineStub(channel).withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
        return Client(stub, command["deadlineMs"]?.jsonPrimitive?.longOrNull) { channel.shutdownNow() }
    }

    private fun Client.withDeadline(command: JsonObject): PokeServiceCoroutineStub =
        stub.withDeadlineAfter(command["deadlineMs"]?.jsonPrimitive?.longOrNull ?: 10_000, TimeUnit.MILLISECONDS)

    private fun subscribe(command: JsonObject, client: Client) {
        val name = command.text("subscription")
        val request = SubscribeRequest.newBuilder()
        command.getValue("interests").jsonArray.forEach { request.addSubscriptions(subscription(it.jsonObject)) }
        val listening = Listening(client)
        subscriptions[name] = listening
        val tell = { event: JsonObject -> say(buildJsonObject { put("subscription", name); put("event", event) }) }
        val stub = client.deadline?.let { client.stub.withDeadlineAfter(it, TimeUnit.MILLISECONDS) } ?: client.stub
        listening.job = scope.launch {
            try {
                stub.subscribe(request.build()).collect { event ->
                    listening.isPaused.first { !it }
                    told(event)?.let(tell)
                }
                tell(buildJsonObject { put("event", "over") })
            } catch (failed: StatusException) {
                tell(buildJsonObject { put("event", "failed"); put("error", told(failed)) })
            }
        }
    }

    private suspend fun publish(stub: PokeServiceCoroutineStub, command: JsonObject): JsonObject {
        val answer = stub.publish(request(command))
        return buildJsonObject {
            put("position", told(answer.position))
            put("duplicate", answer.duplicate)
            if (answer.hasLocalReceiverCount()) put("localReceiverCount", answer.localReceiverCount)
        }
    }

    /** EndInterest takes the same fields. */
    private fun request(command: JsonObject): PublishRequest {
        val request = PublishRequest.newBuilder().setDomain(command.text("domain")).setFilter(command.text("filter"))
        data(command)?.let { request.data = it }
        command["customerId"]?.let { request.setAudience(Audience.AUDIENCE_CUSTOMER).customerId = it.jsonPrimitive.content }
        command["idempotencyKey"]?.let { request.idempotencyKey = it.jsonPrimitive.content }
        return request.build()
    }
}

private fun subscription(interest: JsonObject): Subscription {
    val subscription = Subscription.newBuilder().setInterest(
        Interest.newBuilder().setDomain(interest.text("domain")).setFilter(interest.text("filter")).setAudience(
            if ("audience" in interest) Audience.AUDIENCE_CUSTOMER else Audience.AUDIENCE_UNSPECIFIED,
        ),
    )
    interest["position"]?.jsonObject?.let {
        subscription.setAfter(Position.newBuilder().setEpoch(it.text("epoch")).setSequence(it.text("sequence").toLong()))
    }
    if (interest["latest"] == JsonPrimitive(true)) subscription.latest = Latest.getDefaultInstance()
    return subscription.build()
}

private fun data(command: JsonObject): Value? {
    if ("special" in command) throw Unsupported("plain stubs send what they are given")
    return command["data"]?.let { Value.newBuilder().also { value -> JsonFormat.parser().merge("$it", value) }.build() }
}

/** Null for an event of a later version. */
private fun told(response: SubscribeResponse): JsonObject? = buildJsonObject {
    when (response.eventCase) {
        EventCase.WELCOME -> event("connected") { put("streamId", response.welcome.streamId) }
        EventCase.SUBSCRIBED -> event("live", response.subscribed.interest) {
            put("position", told(response.subscribed.position))
            put("outcome", response.subscribed.outcome.name.removePrefix("OUTCOME_"))
        }
        EventCase.REJECTED -> event("rejected", response.rejected.interest) {
            put("code", Status.fromCodeValue(response.rejected.code).code.name)
            put("reason", response.rejected.reason)
            put("message", response.rejected.message)
            put("final", !response.rejected.hasRetryDelay())
        }
        EventCase.POKE -> with(response.poke) {
            event("poke", Interest.newBuilder().setDomain(domain).setFilter(filter).setAudience(audience).build()) {
                put("position", told(position))
                put("publishTime", Timestamps.toString(publishTime))
                if (hasData()) put("data", told(data))
            }
        }
        EventCase.GAP -> event("gap", response.gap.interest.takeIf { response.gap.hasInterest() }) {
            val reason = response.gap.reason
            put("reason", if (reason.name == "UNRECOGNIZED") "UNSPECIFIED" else reason.name.removePrefix("GAP_REASON_"))
            put("position", told(response.gap.position))
            if (response.gap.hasMissedCount()) put("missedCount", response.gap.missedCount)
            put("reloadAfterMs", response.gap.reloadSpread.millis())
        }
        EventCase.ENDED -> event("ended", response.ended.interest) {
            put("position", told(response.ended.position))
            if (response.ended.hasData()) put("data", told(response.ended.data))
        }
        EventCase.HEARTBEAT -> event("heartbeat") { put("checkpoints", JsonArray(response.heartbeat.checkpointsList.map(::told))) }
        EventCase.RECONNECT -> event("reconnect") {
            put("reason", response.reconnect.reason.name.removePrefix("RECONNECT_REASON_"))
            put("minDelayMs", response.reconnect.minDelay.millis())
            put("maxDelayMs", response.reconnect.maxDelay.millis())
            put("closesAfterMs", response.reconnect.closesAfter.millis())
        }
        EventCase.EVENT_NOT_SET, null -> return null
    }
}

private fun JsonObjectBuilder.event(name: String, interest: Interest? = null, fields: JsonObjectBuilder.() -> Unit) {
    put("event", name)
    interest?.let {
        put("domain", it.domain)
        put("filter", it.filter)
        if (it.audience == Audience.AUDIENCE_CUSTOMER) put("audience", it.audience.name)
    }
    fields()
}

private fun told(position: Position): JsonElement = buildJsonObject {
    put("epoch", position.epoch)
    put("sequence", "${position.sequence}")
}

private fun told(data: Value): JsonElement = Json.parseToJsonElement(JsonFormat.printer().print(data))

private fun told(error: StatusException): JsonObject = buildJsonObject {
    put("code", error.status.code.name)
    put("message", error.status.description.orEmpty())
    val details = StatusProto.fromThrowable(error)?.detailsList.orEmpty()
    details.firstOrNull { it.`is`(ErrorInfo::class.java) }?.let { put("reason", it.unpack(ErrorInfo::class.java).reason) }
}

private fun Duration.millis() = Durations.toMillis(this)

private fun JsonObject.text(field: String) = getValue(field).jsonPrimitive.content

private fun say(line: JsonObject) = synchronized(System.out) {
    println(line)
    System.out.flush()
}
