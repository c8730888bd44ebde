package dev.poke

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

/** Silence, sleep, slow programs, and an app that comes and goes. */
internal class WatchdogTest {
    @Test
    fun `silence of two and a half heartbeats is a lost connection`() = peerTest {
        val (pokes, call) = start("a")
        quiet(49.seconds)
        call.send(heartbeat())
        quiet(SECOND)
        val last = now
        assertEquals("reconnecting", pokes.next())
        assertTrue(now - last in 48.seconds..51.seconds)
        call.cancelled.await()
        // What has swallowed the old stream isn't asked again.
        assertNotEquals(call.connection, call().connection)
    }

    @Test
    fun `patience doubles each time in a row`() = peerTest {
        val (pokes, first) = start("a")
        var call = first
        for (patience in listOf(50, 100, 200, 400, 400)) {
            val last = now
            assertEquals("reconnecting", pokes.next())
            assertTrue(now - last in (patience - 1).seconds..(patience + 1).seconds, "$patience")
            call = call()
            call.send(welcome(), recovered("a", 0))
            assertEquals("live a RECOVERED", pokes.resumed())
        }
        // A heartbeat in time shows that the network doesn't hold them back.
        call.send(heartbeat())
        quiet(SECOND)
        val last = now
        assertEquals("reconnecting", pokes.next())
        assertTrue(now - last <= 51.seconds)
    }

    @Test
    fun `a server that never says welcome is given up`() = peerTest {
        val pokes = listen(client(), "a")
        call()
        val begun = now
        assertEquals("reconnecting", pokes.next())
        assertTrue(now - begun in 9.seconds..11.seconds)
    }

    @Test
    fun `a sleep of the device is silence`() = peerTest {
        val (pokes, _) = start("a")
        slept = 1.hours
        val woken = now
        assertEquals("reconnecting", pokes.next())
        assertTrue(now - woken <= 6.seconds)
    }

    @Test
    fun `a slow program makes the server wait, and that is not silence`() = peerTest {
        val (pokes, call) = start("a", client = client(eventBuffer = 4))
        // The program reads nothing for ten minutes. What the server can send meanwhile is bounded.
        var sent = 0L
        withTimeoutOrNull(10.minutes) {
            while (true) {
                call.send(poke("a", sent + 1))
                sent++
            }
        }
        assertTrue(sent in 4..10, "$sent")
        for (sequence in 1..sent) assertEquals("poke a $sequence", pokes.next())
        call.send(poke("a", sent + 1))
        assertEquals("poke a ${sent + 1}", pokes.next())
    }

    @Test
    fun `the watchdog watches again when the program is back`() = peerTest {
        val (pokes, call) = start("a", client = client(eventBuffer = 4))
        // One is with the collector, four wait.
        for (sequence in 1L..5L) call.send(poke("a", sequence))
        quiet(10.minutes)
        for (sequence in 1..5) assertEquals("poke a $sequence", pokes.next())
        val back = now
        assertEquals("reconnecting", pokes.next())
        assertTrue(now - back in 49.seconds..51.seconds)
    }

    @Test
    fun `an app in the background has no call, and goes on where it was`() = peerTest {
        val client = client()
        val (pokes, old) = start("a", client = client)
        old.send(poke("a", 7))
        assertEquals("poke a 7", pokes.next())
        client.stop()
        old.cancelled.await()
        assertTrue(isQuietFor(1.hours))
        val back = now
        client.start()
        val call = call()
        assertEquals(back, now)
        assertEquals(mapOf<String, Long?>("a" to 7), call.asks)
        call.send(welcome(), recovered("a", 7), poke("a", 8))
        assertEquals("live a RECOVERED", pokes.resumed())
        assertEquals("poke a 8", pokes.next())
    }

    @Test
    fun `a client that is stopped before it listens connects once it is started`() = peerTest {
        val client = client()
        client.stop()
        listen(client, "a")
        assertTrue(isQuietFor(1.minutes))
        client.start()
        assertEquals(setOf("a"), call().asks.keys)
    }

    @Test
    fun `another network is moved to at once, make before break`() = peerTest {
        val client = client()
        val (pokes, old) = start("a", client = client)
        val changed = now
        client.networkChanged()
        val new = call()
        assertEquals(changed, now)
        assertNotEquals(old.connection, new.connection)
        old.send(poke("a", 1))
        assertEquals("poke a 1", pokes.next())
        new.send(welcome(), recovered("a", 1), poke("a", 2))
        assertEquals("connected", pokes.next())
        assertEquals("poke a 2", pokes.next())
        old.cancelled.await()
    }

    @Test
    fun `a network that comes back ends the wait, and one that changes while connecting begins it anew`() = peerTest {
        refusal = failure(Code.UNAVAILABLE, "no network")
        val client = client(dice = { it })
        val pokes = listen(client, "a")
        repeat(5) { assertEquals("reconnecting", pokes.next()) }
        refusal = null
        val changed = now
        client.networkChanged()
        val first = call()
        assertEquals(changed, now)
        client.networkChanged()
        first.cancelled.await()
        assertNotEquals(first.connection, call().connection)
    }

    @Test
    fun `a closed client cancels its call and says so`() = peerTest {
        val client = client()
        val (pokes, call) = start("a", client = client)
        client.close()
        call.cancelled.await()
        assertEquals("failed CLOSED", pokes.next())
        assertEquals("failed CLOSED", listen(client, "a").next())
    }

    @Test
    fun `closing in the moment of the first collection ends that too`() = peerTest {
        coroutineScope {
            val client = client()
            val collecting = async(start = CoroutineStart.UNDISPATCHED) {
                runCatching { client.pokes(filter("a")).collect {} }
            }
            client.close()
            assertEquals(PokeException.Kind.CLOSED, (collecting.await().exceptionOrNull() as PokeException).kind)
        }
    }

    @Test
    fun `a collector that goes on right where it is woken may leave there`() = peerTest {
        coroutineScope {
            val client = client()
            val both = List(2) {
                async(Dispatchers.Unconfined) { client.pokes(filter("a")).first { it is PokeEvent.Live } }
            }
            val others = listen(client, "b")
            call().send(welcome(), fresh("a", 0), fresh("b", 0))
            both.awaitAll()
            assertEquals(listOf("connected", "live b FRESH"), List(2) { others.next() })
        }
    }
}
