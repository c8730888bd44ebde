package dev.poke

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.serialization.json.JsonPrimitive
import okhttp3.Dispatcher
import java.lang.ref.WeakReference
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.test.Test
import kotlin.test.assertEquals

/** Against the real server: connections, and what many calls share. */
internal class ConnectionsTest : ServerRig() {
    /** Clients that share one OkHttpClient. Closing one closes all. */
    private fun clients(count: Int, url: String): List<PokeClient> {
        val clock = deviceClock()
        val transport = ConnectTransport(url, Protocol.GRPC) {}
        return List(count) {
            val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
            PokeClient(transport, Tokens(null, null, clock), clock, 64, fairDice, scope)
        }
    }

    @Test
    fun `a connection whose streams are all taken is followed by another`() = test { server ->
        val clients = clients(120, server.url)
        // The others find the first one's connection, and fill it.
        val flows = mutableListOf(listen(clients.first(), "f").also { it.next<PokeEvent.Live>() })
        flows += clients.subList(1, 100).map { listen(it, "f") }.onEach { it.next<PokeEvent.Live>() }
        server.metricBecomes("poke_connections_open", 1.0)
        // The first connection has no stream left for a publish.
        clients.first().publish("PLAYLIST", "f", 1)
        server.metricBecomes("poke_connections_open", 2.0)
        flows += clients.drop(100).map { listen(it, "f") }.onEach { it.next<PokeEvent.Live>() }
        clients.first().publish("PLAYLIST", "f", 2)
        flows.forEach { pokes -> while (pokes.next<PokeEvent.Poke>().decode<Int>() != 2) Unit }
        assertEquals(120.0, server.metric("poke_streams_opened_total"), "each was accepted the first time")
        assertEquals(2.0, server.metric("poke_connections_open"))
        clients.first().close()
    }

    @Test
    fun `clients that are given one dispatcher of OkHttp don't hold each other up or end each other's calls`() = test { server ->
        val shared = Dispatcher().apply { maxRequests = 1 }
        val (staying, leaving) = List(2) { PokeClient(server.url) { dispatcher(shared) } }
        val (pokes, others) = listen(staying, "f") to listen(leaving, "f")
        for (flow in listOf(pokes, others)) flow.next<PokeEvent.Live>()
        leaving.close()
        server.metricBecomes("poke_streams_open", 1.0)
        staying.publish("PLAYLIST", "f", 1)
        assertEquals(1, pokes.next<PokeEvent.Poke>().decode<Int>())
        assertEquals(1.0, server.metric("poke_streams_open"))
        staying.close()
    }

    @Test
    fun `the calls and flows of one job leave nothing in it while it goes on`() = test { server ->
        val watched = CopyOnWriteArrayList<WeakReference<Any>>()
        fun <T : Any> watch(value: T): T = value.also { watched += WeakReference(it) }
        PokeClient(server.url).use { client ->
            suspend fun callAll() = coroutineScope {
                repeat(500) { client.publish("PLAYLIST", "$it", watch(JsonPrimitive("$it"))) }
                val flows = List(50) { number ->
                    val mark = watch(Any())
                    async { client.pokes(Interest("PLAYLIST", "$number")).first { it is PokeEvent.Live && mark !== it } }
                }
                flows.awaitAll()
                val cancelled = List(50) { number ->
                    launch(start = CoroutineStart.UNDISPATCHED) { client.publish("PLAYLIST", "f", watch(JsonPrimitive("$number"))) }
                }
                cancelled.forEach { it.cancelAndJoin() }
            }
            val job = currentCoroutineContext().job
            val before = job.children.count()
            callAll()
            assertEquals(before, job.children.count())
            assertEquals(600, watched.size)
            eventually("what the calls used to be free") {
                System.gc()
                Unit.takeIf { watched.all { it.get() == null } }
            }
        }
    }
}
