package dev.poke

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.produceIn
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.JsonElement

/** Clients of the real server. */
internal abstract class ServerRig {
    /** Runs [body] with a server of its own. */
    protected fun test(vararg settings: Pair<String, String>, body: suspend CoroutineScope.(TestServer) -> Unit) =
        TestServer(*settings).use { server -> inTime { body(server) } }

    /** What [body] starts in its scope ends with it, and fails by itself. */
    protected fun inTime(body: suspend CoroutineScope.() -> Unit) {
        val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
        try {
            runBlocking { withTimeout(PATIENCE * 2) { scope.body() } }
        } finally {
            scope.cancel()
        }
    }

    /** Collects the pokes of these filters of PLAYLIST. */
    protected fun CoroutineScope.listen(client: PokeClient, vararg filters: String): ReceiveChannel<PokeEvent> =
        client.pokes(filters.map { Interest("PLAYLIST", it) }).buffer(1000).produceIn(this)

    /** The next event of this type. A gap on the way is a failure. */
    protected suspend inline fun <reified T : PokeEvent> ReceiveChannel<PokeEvent>.next(): T = withTimeout(PATIENCE) {
        while (true) {
            val event = receive()
            if (event is T) return@withTimeout event
            check(event !is PokeEvent.Gap) { "$event" }
        }
        @Suppress("UNREACHABLE_CODE")
        error("receive throws at the end")
    }

    /** The data of the next poke. */
    protected suspend fun ReceiveChannel<PokeEvent>.data(): JsonElement? = next<PokeEvent.Poke>().data
}
