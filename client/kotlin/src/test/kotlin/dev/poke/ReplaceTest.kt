package dev.poke

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import dev.poke.v1.GapReason as WireGapReason
import dev.poke.v1.Outcome as WireOutcome

/** Make before break: the server asks to move, or the set of interests changes. */
internal class ReplaceTest {
    @Test
    fun `a move goes to another connection and loses nothing`() = peerTest {
        val (pokes, old) = start("a", "b")
        old.send(reconnect(1, 10, 60))
        val asked = now
        val new = call()
        assertTrue(now - asked in 1.seconds..10.seconds)
        assertNotEquals(old.connection, new.connection)
        // The old stream goes on until the new one is live, interest by interest.
        old.send(poke("a", 1))
        assertEquals("poke a 1", pokes.next())
        new.send(welcome(), recovered("a", 0))
        assertEquals("connected", pokes.next())
        quiet(SECOND)
        old.send(poke("a", 2), poke("b", 3))
        assertEquals("poke b 3", pokes.next())
        new.send(poke("a", 1), poke("a", 2))
        assertEquals("poke a 2", pokes.next())
        assertTrue(!old.cancelled.isCompleted)
        new.send(recovered("b", 0), poke("b", 3), poke("b", 4))
        assertEquals("poke b 4", pokes.next())
        old.cancelled.await()
    }

    @Test
    fun `a move to another history is a gap and then what came before the move`() = peerTest {
        val (pokes, old) = start("a", "b")
        old.send(poke("a", 70), reconnect(0, 0, 60))
        assertEquals("poke a 70", pokes.next())
        val new = call()
        new.send(welcome(), subscribed("a", at(3, "f"), WireOutcome.OUTCOME_GAP))
        assertEquals("connected", pokes.next())
        quiet(SECOND)
        old.send(poke("a", 71), poke("b", 72))
        assertEquals("poke b 72", pokes.next())
        new.send(gap("a", WireGapReason.GAP_REASON_EPOCH_CHANGED, at(3, "f")), poke("a", at(4, "f")))
        assertEquals(listOf("gap a EPOCH_CHANGED 3", "poke a 4"), List(2) { pokes.next() })
    }

    @Test
    fun `the old stream may end first`() = peerTest {
        val (pokes, old) = start("a")
        old.send(reconnect(0, 0, 1))
        val new = call()
        old.fail(refusal(Code.UNAVAILABLE, "MAX_AGE", SECOND))
        quiet(SECOND)
        new.send(welcome(), recovered("a", 0), poke("a", 1))
        assertEquals("live a RECOVERED", pokes.resumed())
        assertEquals("poke a 1", pokes.next())
    }

    @Test
    fun `after a restart whose successor came late the client is back within the spread`() = peerTest {
        val (pokes, old) = start("a")
        refusal = failure(Code.UNAVAILABLE, "refused")
        old.send(reconnect(0, 2, 24))
        // Attempt after attempt fails, and the program hears of none.
        quiet(23.seconds)
        old.send(poke("a", 1))
        assertEquals("poke a 1", pokes.next())
        quiet(SECOND)
        old.fail(refusal(Code.UNAVAILABLE, "SHUTTING_DOWN", SECOND))
        assertTrue(pokes.reconnecting().delay <= 6.seconds)
        refusal = null
        val lost = now
        assertEquals(mapOf<String, Long?>("a" to 1), call().asks)
        assertTrue(now - lost <= 6.seconds)
    }

    @Test
    fun `a move that fails half way loses nothing`() = peerTest {
        val (pokes, old) = start("a", "b")
        old.send(reconnect(0, 0, 60))
        val new = call()
        new.send(welcome(), recovered("a", 0))
        assertEquals("connected", pokes.next())
        quiet(SECOND)
        // Poke 1 comes on the old stream only, where it doesn't count any more.
        old.send(poke("a", 1), heartbeat(at(1)), poke("b", 2))
        assertEquals("poke b 2", pokes.next())
        new.reset()
        val third = call()
        assertEquals(mapOf<String, Long?>("a" to 0, "b" to 2), third.asks)
        third.send(welcome(), recovered("a", 0), poke("a", 1), recovered("b", 2))
        assertEquals("live a RECOVERED", pokes.resumed())
        assertEquals("poke a 1", pokes.next())
        old.cancelled.await()
    }

    @Test
    fun `changes within 50 ms go into one call beside the old one`() = peerTest {
        val client = client()
        val (pokes, old) = start("a", client = client)
        quiet(2.seconds)
        val changed = now
        val b = listen(client, "b")
        quiet(10.milliseconds)
        val c = listen(client, "c")
        val new = call()
        assertTrue(now - changed < SECOND)
        assertEquals(old.connection, new.connection)
        assertEquals(mapOf("a" to 0L, "b" to null, "c" to null), new.asks)
        old.send(poke("a", 1))
        assertEquals("poke a 1", pokes.next())
        new.send(welcome(), recovered("a", 0), fresh("b", 1), fresh("c", 1))
        assertEquals("connected", pokes.next())
        assertEquals("live b FRESH", b.resumed())
        assertEquals("live c FRESH", c.resumed())
        old.cancelled.await()
    }

    @Test
    fun `the set is changed at most once a second`() = peerTest {
        val client = client()
        start("a", client = client)
        quiet(2.seconds)
        listen(client, "b")
        val first = call()
        val opened = now
        first.send(welcome(), recovered("a", 0), fresh("b", 0))
        listen(client, "c")
        call()
        assertTrue(now - opened >= SECOND - 10.milliseconds)
    }

    @Test
    fun `a change before the first stream is live, and before an announced gap, waits for it`() = peerTest {
        val client = client()
        val pokes =
            listen(client.pokes(listOf(filter("a")), positions = listOf(SavedPosition("D", "a", position = Position("old", 5)))))
        val old = call()
        listen(client, "b")
        assertTrue(isQuietFor(3.seconds))
        old.send(welcome(), subscribed("a", at(7), WireOutcome.OUTCOME_GAP))
        assertEquals("live a GAP", pokes.resumed())
        // Now it could only ask from where the loss began, and would be told of it, and of what follows, a second time.
        assertTrue(isQuietFor(3.seconds))
        old.send(gap("a", WireGapReason.GAP_REASON_EPOCH_CHANGED, at(7)), poke("a", 8))
        assertEquals(listOf("gap a EPOCH_CHANGED 7", "poke a 8"), List(2) { pokes.next() })
        assertEquals(setOf("a", "b"), call().asks.keys)
    }

    @Test
    fun `an interest of two flows is one on the wire, told to both, and stays until both have left`() = peerTest {
        val client = client()
        val (first, call) = start("a", "b", client = client)
        call.send(poke("b", 1))
        assertEquals("poke b 1", first.next())
        val second = listen(client, "b")
        // It is live already, and the newcomer hears so.
        assertEquals("live b FRESH", second.next())
        call.send(poke("b", 2))
        assertEquals("poke b 2" to "poke b 2", first.next() to second.next())
        first.leave()
        assertEquals(mapOf<String, Long?>("b" to 2), call().also { it.send(welcome(), recovered("b", 2), poke("b", 3)) }.asks)
        assertEquals("poke b 3", second.resumed())
    }

    @Test
    fun `a slow flow holds nothing back from another until the buffer is full`() = peerTest {
        val client = client(eventBuffer = 4)
        val (slow, call) = start("a", client = client)
        val fast = listen(client, "a")
        assertEquals("live a FRESH", fast.next())
        for (sequence in 1L..3L) {
            call.send(poke("a", sequence))
            assertEquals("poke a $sequence", fast.next())
        }
        assertEquals(List(3) { "poke a ${it + 1}" }, List(3) { slow.next() })
    }

    @Test
    fun `an interest that comes back starts again`() = peerTest {
        val client = client()
        val (a, old) = start("a", client = client)
        val b = listen(client, "b")
        val both = call()
        both.send(welcome(), recovered("a", 0), fresh("b", 0))
        assertEquals("live b FRESH", b.resumed())
        assertEquals("connected", a.next())
        b.leave()
        val again = listen(client, "b")
        both.send(poke("b", 1), poke("a", 2))
        assertEquals("poke a 2", a.next())
        val new = call()
        assertEquals(mapOf("a" to 2L, "b" to null), new.asks)
        new.send(welcome(), recovered("a", 2), fresh("b", 2))
        assertEquals("live b FRESH", again.resumed())
        assertTrue(old.cancelled.isCompleted)
    }

    @Test
    fun `with the last flow the call is cancelled, and the next one begins anew`() = peerTest {
        val client = client()
        val (pokes, call) = start("a", client = client)
        pokes.leave()
        call.cancelled.await()
        assertTrue(isQuietFor(60.seconds))
        listen(client, "b")
        assertEquals(mapOf<String, Long?>("b" to null), call().asks)
    }

    @Test
    fun `no interests are nothing to wait for`() = peerTest {
        assertEquals("over", listen(client().pokes(emptyList())).next())
    }
}
