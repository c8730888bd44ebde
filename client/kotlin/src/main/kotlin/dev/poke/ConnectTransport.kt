package dev.poke

import com.connectrpc.AnyError
import com.connectrpc.Codec
import com.connectrpc.ConnectErrorDetail
import com.connectrpc.ConnectException
import com.connectrpc.ErrorDetailParser
import com.connectrpc.MethodSpec
import com.connectrpc.ProtocolClientConfig
import com.connectrpc.ResponseMessage
import com.connectrpc.SerializationStrategy
import com.connectrpc.StreamType
import com.connectrpc.impl.ProtocolClient
import com.connectrpc.okhttp.ConnectOkHttpClient
import com.connectrpc.protocols.NetworkProtocol
import com.google.protobuf.InvalidProtocolBufferException
import com.google.protobuf.MessageLite
import dev.poke.v1.EndInterestRequest
import dev.poke.v1.EndInterestResponse
import dev.poke.v1.PublishRequest
import dev.poke.v1.PublishResponse
import dev.poke.v1.SubscribeRequest
import dev.poke.v1.SubscribeResponse
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import okhttp3.ConnectionPool
import okhttp3.Dispatcher
import okhttp3.HttpUrl.Companion.toHttpUrlOrNull
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import okio.Buffer
import okio.BufferedSource
import okio.ByteString.Companion.toByteString
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.reflect.KClass
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import okhttp3.Protocol as HttpProtocol

/** How long a connection may take to open. It leaves time for a second attempt within the deadline of a publish. */
private val CONNECT_TIMEOUT = 4.seconds

/** How soon a connection that has died in silence fails, without waiting for the watchdog. */
private val PING_INTERVAL = 20.seconds

/** Calls at once. OkHttp's own bound of 5 to a host would let streams hold publishes back. */
private const val MAX_CALLS = 128

/** Connect's Kotlin library over OkHttp. */
internal class ConnectTransport(
    url: String,
    private val protocol: Protocol,
    configure: OkHttpClient.Builder.() -> Unit,
) : Transport {
    private val url = checked(url)
    private val threads = Executors.newCachedThreadPool { Thread(it, "poke").apply { isDaemon = true } }
    private val http = OkHttpClient.Builder()
        .protocols(protocols())
        .connectTimeout(CONNECT_TIMEOUT)
        // A stream is silent for as long as there is nothing to say. The watchdog knows how long that may be.
        .readTimeout(Duration.ZERO)
        .writeTimeout(Duration.ZERO)
        .pingInterval(PING_INTERVAL)
        .followRedirects(false)
        .addInterceptor(Interceptor(::grpcAlone))
        .apply(configure)
        // Last, because close() ends all calls of its dispatcher: one that is shared would be ended for others too.
        .dispatcher(Dispatcher(threads).apply { maxRequests = MAX_CALLS; maxRequestsPerHost = MAX_CALLS })
        .build()
    private var current: ConnectLink? = null

    /** Each link has a pool of its own, so that leaving it is leaving its connection. */
    @Synchronized
    override fun current(): Link = current ?: run {
        val client = http.newBuilder().connectionPool(ConnectionPool(1, 1, TimeUnit.MINUTES)).build()
        ConnectLink(client, url, protocol).also { current = it }
    }

    @Synchronized
    override fun retire(link: Link) {
        if (link === current) current = null
    }

    @Synchronized
    override fun close() {
        val connections = current?.http?.connectionPool
        // Those are closed that no call uses: now, and when the last call has noticed its end.
        http.dispatcher.idleCallback = Runnable { connections?.evictAll() }
        http.dispatcher.cancelAll()
        connections?.evictAll()
        threads.shutdown()
    }

    private fun protocols() = when {
        url.startsWith("https:") -> listOf(HttpProtocol.HTTP_2, HttpProtocol.HTTP_1_1)
        protocol == Protocol.GRPC -> listOf(HttpProtocol.H2_PRIOR_KNOWLEDGE)
        else -> listOf(HttpProtocol.HTTP_1_1)
    }
}

/** What can never work is refused at once. The URL isn't repeated, since it may hold a password. */
private fun checked(url: String): String {
    fun refuse(problem: String): Nothing = throw PokeException(PokeException.Kind.CONFIG, problem)
    val parsed = url.toHttpUrlOrNull() ?: refuse("the URL must be https://HOST or http://HOST:PORT")
    if (parsed.username.isNotEmpty() || parsed.password.isNotEmpty()) {
        refuse("the URL must hold no user and no password: a token says who calls")
    }
    if (parsed.encodedPath != "/" || parsed.query != null || parsed.fragment != null) {
        refuse("the URL must end after the host and its port")
    }
    return parsed.toString()
}

/** One connection. */
private class ConnectLink(val http: OkHttpClient, url: String, protocol: Protocol) : Link {
    private val client = ProtocolClient(
        ConnectOkHttpClient(http),
        ProtocolClientConfig(
            host = url,
            serializationStrategy = Messages,
            networkProtocol = if (protocol == Protocol.GRPC) NetworkProtocol.GRPC else NetworkProtocol.GRPC_WEB,
            // Without a bound on what it unpacks to, no compressed message is asked for.
            compressionPools = emptyList(),
            ioCoroutineContext = Dispatchers.IO,
            timeoutOracle = { null },
        ),
    )

    override fun subscribe(request: SubscribeRequest, token: String?): Flow<Signal> = flow {
        val stream = client.serverStream(headers(token), SUBSCRIBE)
        val responses = stream.responseChannel()
        try {
            stream.sendAndClose(request)
            for (signal in responses) emit(signal)
        } catch (failed: ConnectException) {
            throw failed.toPokeException()
        } finally {
            responses.cancel()
        }
    }

    override suspend fun publish(request: PublishRequest, token: String?): PublishResponse = call(PUBLISH, request, token)

    override suspend fun endInterest(request: EndInterestRequest, token: String?): EndInterestResponse =
        call(END_INTEREST, request, token)

    private suspend fun <I : Any, O : Any> call(method: MethodSpec<I, O>, request: I, token: String?): O =
        when (val answer = client.unary(request, headers(token), method)) {
            is ResponseMessage.Success -> answer.message
            is ResponseMessage.Failure -> throw answer.cause.toPokeException()
        }

    private fun headers(token: String?): Map<String, List<String>> = buildMap {
        put("user-agent", listOf("poke-client-kotlin/0.1.0"))
        if (token != null) put("authorization", listOf("Bearer $token"))
    }
}

private inline fun <reified I : Any, reified O : Any> method(name: String, type: StreamType) =
    MethodSpec("poke.v1.PokeService/$name", I::class, O::class, type)

private val SUBSCRIBE = method<SubscribeRequest, Signal>("Subscribe", StreamType.SERVER)
private val PUBLISH = method<PublishRequest, PublishResponse>("Publish", StreamType.UNARY)
private val END_INTEREST = method<EndInterestRequest, EndInterestResponse>("EndInterest", StreamType.UNARY)

/** Protobuf's lite messages for Connect. Its own extension for them isn't published where this is built. */
private object Messages : SerializationStrategy {
    override fun serializationName() = "proto"

    @Suppress("UNCHECKED_CAST")
    override fun <E : Any> codec(clazz: KClass<E>): Codec<E> = when (clazz) {
        Signal::class -> MessageCodec { source ->
            // A message that can't be read is a signal of its own: an error of the codec would look like one of the server.
            try {
                Signal.Message(SubscribeResponse.parseFrom(source.readByteArray()))
            } catch (problem: InvalidProtocolBufferException) {
                Signal.Undecodable(problem)
            }
        }
        PublishResponse::class -> MessageCodec { PublishResponse.parseFrom(it.readByteArray()) }
        EndInterestResponse::class -> MessageCodec { EndInterestResponse.parseFrom(it.readByteArray()) }
        else -> MessageCodec { error("requests are not read") }
    } as Codec<E>

    override fun errorDetailParser() = object : ErrorDetailParser {
        override fun parseDetails(bytes: ByteArray) = listOf(ConnectErrorDetail("google.rpc.Status", bytes.toByteString()))

        override fun <E : Any> unpack(any: AnyError, clazz: KClass<E>): E? = null
    }
}

private class MessageCodec<E : Any>(private val parse: (BufferedSource) -> E) : Codec<E> {
    override fun encodingName() = "proto"

    override fun serialize(message: E): Buffer = Buffer().write((message as MessageLite).toByteArray())

    override fun deterministicSerialize(message: E): Buffer = serialize(message)

    override fun deserialize(source: BufferedSource): E = parse(source)
}
