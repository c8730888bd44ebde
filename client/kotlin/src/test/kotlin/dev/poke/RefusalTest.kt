package dev.poke

import kotlinx.coroutines.flow.onEach
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** No silent end: a flow whose interests are over throws what nobody has handled. */
internal class RefusalTest {
    @Test
    fun `a flow that was refused for good tells so and then throws`() = peerTest {
        val pokes = listen(client(), "a")
        call().send(welcome(), rejected("a", Code.PERMISSION_DENIED))
        assertEquals("rejected a true", pokes.resumed())
        val error = pokes.nextOrEnd() as PokeException
        assertEquals(PokeException.Kind.REFUSED to Code.PERMISSION_DENIED, error.kind to error.code)
        assertEquals("REASON" to listOf(filter("a")), error.reason to error.rejected.map { it.interest })
        assertEquals("the server refused: D/a: no (REASON)", error.message)
        assertEquals("over", pokes.next())
    }

    @Test
    fun `it throws whatever came last, once nothing is left`() = peerTest {
        for (last in listOf(ended("b", 1), rejected("a", Code.NOT_FOUND))) {
            val pokes = listen(client(), "a", "b")
            val first = listOf(ended("b", 1), rejected("a", Code.NOT_FOUND)).single { it != last }
            call().send(welcome(), fresh("a", 0), fresh("b", 0), first, last)
            val told = List(6) { pokes.next() }
            assertEquals(setOf("ended b 1", "rejected a true"), told.slice(3..4).toSet())
            assertEquals("failed REFUSED", told.last())
        }
    }

    @Test
    fun `the first of several is thrown, with all of them`() = peerTest {
        val pokes = listen(client(), "a", "b", "c")
        call().send(welcome(), rejected("b", Code.NOT_FOUND), ended("c", 1), rejected("a", Code.PERMISSION_DENIED))
        assertEquals(listOf("connected", "rejected b true", "ended c 1", "rejected a true"), List(4) { pokes.next() })
        val error = pokes.nextOrEnd() as PokeException
        assertEquals(Code.NOT_FOUND to listOf("b", "a"), error.code to error.rejected.map { it.interest.filter })
        assertEquals("the server refused: D/b: no (REASON), and 1 more of its interests", error.message)
    }

    @Test
    fun `what is marked as handled is not thrown, and each flow marks its own`() = peerTest {
        val client = client()
        val handles = listen(client.pokes(filter("a")).onEach { if (it is PokeEvent.Rejected) it.markHandled() })
        val doesNot = listen(client, "a")
        call().send(welcome(), rejected("a", Code.NOT_FOUND))
        assertEquals(listOf("rejected a true", "over"), listOf(handles.resumed(), handles.next()))
        assertEquals(listOf("rejected a true", "failed REFUSED"), listOf(doesNot.resumed(), doesNot.next()))
    }

    @Test
    fun `of two refusals the one that is not handled is thrown`() = peerTest {
        val flow = client().pokes(listOf(filter("a"), filter("b")))
        val pokes = listen(flow.onEach { if (it is PokeEvent.Rejected && it.interest == filter("a")) it.markHandled() })
        call().send(welcome(), rejected("a", Code.PERMISSION_DENIED), rejected("b", Code.NOT_FOUND))
        assertEquals(listOf("connected", "rejected a true", "rejected b true"), List(3) { pokes.next() })
        assertEquals(Code.NOT_FOUND, (pokes.nextOrEnd() as PokeException).code)
    }

    @Test
    fun `what is asked for again is no end`() = peerTest {
        val pokes = listen(client(), "a", "b")
        call().send(welcome(), rejected("a", Code.UNAVAILABLE, 5), ended("b", 1))
        assertEquals(listOf("connected", "rejected a false", "ended b 1"), List(3) { pokes.next() })
        call().send(welcome(), ended("a", 2))
        assertEquals(listOf("connected", "ended a 2", "over"), List(3) { pokes.next() })
    }

    @Test
    fun `the message is one short line whatever was asked for`() = peerTest {
        val pokes = listen(client(), "a\n\u2028\u0000${"x".repeat(100_000)}")
        call().send(welcome(), rejected("a", Code.INVALID_ARGUMENT))
        assertEquals("connected", pokes.next())
        pokes.nextOrEnd()
        val message = (pokes.nextOrEnd() as PokeException).message.orEmpty()
        assertTrue("D/a\\u000a\\u2028\\u0000x" in message && message.length < 400 && message.lines().size == 1, message)
    }
}
