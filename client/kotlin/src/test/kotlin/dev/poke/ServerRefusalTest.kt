package dev.poke

import kotlinx.coroutines.channels.ReceiveChannel
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

/** Against the real server: what it refuses, for good or for as long as a stream is full. */
internal class ServerRefusalTest : ServerRig() {
    private suspend fun ReceiveChannel<PokeEvent>.isOverLimit() {
        val told = next<PokeEvent.Rejected>()
        assertEquals("TOO_MANY_INTERESTS" to false, told.reason to told.isFinal)
    }

    @Test
    fun `a flow of a domain that isn't there throws what the server has said`() = test(
        "domains.PLAYLIST.publishers" to "\"anyone\"", "domains.PLAYLIST.subscribers" to "\"open\"",
    ) { server ->
        PokeClient(server.url).use { client ->
            val wrong = Interest("PLAYLISTS", "42")
            val error = assertFailsWith<PokeException> { client.pokes(wrong).collect {} }
            assertEquals(PokeException.Kind.REFUSED to listOf(wrong), error.kind to error.rejected.map { it.interest })
            assertEquals(Code.NOT_FOUND to "UNKNOWN_DOMAIN", error.code to error.reason)
            client.pokes(wrong).collect { if (it is PokeEvent.Rejected) it.markHandled() }
        }
    }

    @Test
    fun `what is over the limit waits for room, and the others are live at once`() = test(
        "stream.max_interests" to "3",
    ) { server ->
        PokeClient(server.url).use { client ->
            // One after the other, since the first ones have the room.
            val flows = List(5) { index ->
                listen(client, "$index").also { if (index < 3) it.next<PokeEvent.Live>() else it.isOverLimit() }
            }
            repeat(5) { client.publish("PLAYLIST", "$it", it) }
            repeat(3) { assertEquals(it, flows[it].next<PokeEvent.Poke>().decode<Int>()) }
            flows[1].cancel()
            flows[3].next<PokeEvent.Live>()
            client.endInterest("PLAYLIST", "0")
            flows[4].next<PokeEvent.Live>()
            repeat(5) { client.publish("PLAYLIST", "${it.coerceAtLeast(2)}", 10) }
            for (index in 2..4) assertEquals(10, flows[index].next<PokeEvent.Poke>().decode<Int>())
        }
    }

    @Test
    fun `a set that the server refuses as a whole is live as far as there is room`() = test(
        "stream.max_interests" to "3",
    ) { server ->
        PokeClient(server.url).use { client ->
            val pokes = listen(client, "0", "1", "2", "3", "4")
            assertEquals(listOf("3", "4"), List(2) { pokes.next<PokeEvent.Rejected>().interest.filter })
            assertEquals(setOf("0", "1", "2"), List(3) { pokes.next<PokeEvent.Live>().interest.filter }.toSet())
            server.metricBecomes("poke_streams_open", 1.0)
        }
    }

    @Test
    fun `a hundred and two flows are all live where the server allows them`() = test(
        "stream.max_interests" to "500",
    ) { server ->
        PokeClient(server.url).use { client ->
            val flows = List(102) { listen(client, "$it") }
            flows.forEach { it.next<PokeEvent.Live>() }
            server.metricBecomes("poke_streams_open", 1.0)
        }
    }

    @Test
    fun `a limit that a restart has lowered takes effect while live`() {
        val first = TestServer("stream.max_interests" to "3", "stream.reconnect_spread" to "\"200ms\"")
        inTime {
            PokeClient(first.url).use { client ->
                val flows = List(3) { index -> listen(client, "$index").also { it.next<PokeEvent.Live>() } }
                first.kill9()
                TestServer("stream.max_interests" to "2", address = first.address).use {
                    flows[2].isOverLimit()
                    for (pokes in flows.take(2)) {
                        pokes.next<PokeEvent.Live>()
                        assertEquals(GapReason.EPOCH_CHANGED, pokes.next<PokeEvent.Gap>().reason)
                    }
                    flows[0].cancel()
                    flows[2].next<PokeEvent.Live>()
                }
            }
        }
        first.close()
    }
}
