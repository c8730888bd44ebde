package dev.poke

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds

/** More interests than a stream may have: what is over the limit waits, and harms nobody. */
internal class LimitTest {
    private val crowd = List(102) { "$it" }

    private suspend fun Heard.isOverLimit(filter: String) {
        val told = nextOrEnd() as PokeEvent.Rejected
        assertEquals(filter(filter) to false, told.interest to told.isFinal)
        assertEquals(Code.INVALID_ARGUMENT to "TOO_MANY_INTERESTS", told.code to told.reason)
    }

    @Test
    fun `a refused set is asked for again at once with as many as are allowed, and the rest gets its turn`() = peerTest {
        val client = client()
        val (a, b, c) = List(3) { listen(client, "${'a' + it}") }
        val first = call()
        assertEquals(setOf("a", "b", "c"), first.asks.keys)
        val begun = now
        first.fail(tooMany("2"))
        val second = call()
        assertEquals(begun, now)
        assertEquals(setOf("a", "b"), second.asks.keys)
        c.isOverLimit("c")
        second.send(welcome(interests = 2), fresh("a", 0), fresh("b", 0), ended("a", 1))
        for (pokes in listOf(a, b)) assertEquals("reconnecting", pokes.next())
        assertEquals(listOf("connected", "live a FRESH", "ended a 1", "over"), List(4) { a.next() })
        assertEquals(listOf("connected", "live b FRESH"), List(2) { b.next() })
        // There is room, and the other stays where it is.
        val third = call()
        assertEquals(mapOf("b" to 0L, "c" to null), third.asks)
        third.send(welcome(interests = 2), recovered("b", 0), fresh("c", 1))
        assertEquals(listOf("reconnecting", "connected", "connected", "live c FRESH"), List(4) { c.next() })
    }

    @Test
    fun `a hundred and two are asked for as soon as the server allows them, and nobody hears of a limit before`() = peerTest {
        val pokes = listen(client(), *crowd.toTypedArray())
        val first = call()
        assertEquals(crowd.take(100), first.asks.keys.toList())
        first.send(welcome(interests = 500))
        assertEquals("connected", pokes.next())
        for (filter in crowd.take(100)) {
            first.send(fresh(filter, 0))
            assertEquals("live $filter FRESH", pokes.next())
        }
        val second = call()
        assertEquals(crowd, second.asks.keys.toList())
        second.send(welcome(interests = 500))
        assertEquals("connected", pokes.next())
        crowd.forEach { second.send(recovered(it, 0)) }
        assertEquals(listOf("live 100 RECOVERED", "live 101 RECOVERED"), List(2) { pokes.next() })
    }

    @Test
    fun `a set of which each is refused for good makes room for the next`() = peerTest {
        val client = client()
        val (pokes, call) = start("a", "b", "c", client = client)
        val waiting = listen(client, "d")
        waiting.isOverLimit("d")
        call.send(rejected("a", Code.NOT_FOUND))
        assertEquals("rejected a true", pokes.next())
        assertEquals(mapOf("b" to 0L, "c" to 0L, "d" to null), call().asks)
    }

    @Test
    fun `a call whose interests are all over closes with OK and what waited is asked for without a loss`() = peerTest {
        val client = client()
        val (pokes, call) = start("a", "b", "c", client = client)
        val waiting = listen(client, "d")
        waiting.isOverLimit("d")
        call.send(ended("a", 1), ended("b", 2), ended("c", 3))
        call.finish()
        assertEquals(listOf("ended a 1", "ended b 2", "ended c 3", "over"), List(4) { pokes.next() })
        val next = call()
        assertEquals(mapOf("d" to null), next.asks)
        next.send(welcome(interests = 3), fresh("d", 4))
        assertEquals(listOf("connected", "live d FRESH"), List(2) { waiting.next() })
    }

    @Test
    fun `one interest too many is told so and changes nothing for the others`() = peerTest {
        val client = client()
        val (pokes, call) = start("a", "b", "c", client = client)
        val late = listen(client, "d")
        late.isOverLimit("d")
        // Also who comes later to the same interest.
        listen(client, "d").isOverLimit("d")
        assertEquals("live a FRESH", listen(client, "a").next())
        assertTrue(isQuietFor(5.seconds))
        call.send(poke("a", 1))
        assertEquals("poke a 1", pokes.next())
    }

    @Test
    fun `one that waits for a retry keeps its place`() = peerTest {
        val client = client()
        val pokes = listen(client, "a", "b", "c")
        val call = call()
        call.send(welcome(), fresh("a", 0), fresh("b", 0), rejected("c", Code.UNAVAILABLE, 20))
        assertEquals(listOf("connected", "live a FRESH", "live b FRESH", "rejected c false"), List(4) { pokes.next() })
        listen(client, "d").isOverLimit("d")
        assertEquals(mapOf("a" to 0L, "b" to 0L, "c" to null), call().asks)
    }

    @Test
    fun `removed and added again it is the last in line`() = peerTest {
        val client = client()
        val (_, call) = start("a", client = client)
        val (b, c) = List(2) { listen(client, "${'b' + it}") }
        call().send(welcome(), recovered("a", 0), fresh("b", 0), fresh("c", 0))
        val d = listen(client, "d")
        assertEquals("live b FRESH", b.resumed())
        assertEquals("live c FRESH", c.resumed())
        d.isOverLimit("d")
        b.leave()
        val again = listen(client, "b")
        again.isOverLimit("b")
        assertEquals(mapOf("a" to 0L, "c" to 0L, "d" to null), call().asks)
        call.cancelled.await()
    }

    @Test
    fun `a limit that falls while live loses nothing in silence`() = peerTest {
        val client = client()
        val pokes = listen(client, "a")
        val old = call()
        old.send(welcome(), fresh("a", 0))
        assertEquals("live a FRESH", pokes.resumed())
        val surplus = listen(client, "b")
        val both = call()
        both.send(welcome(), recovered("a", 0), fresh("b", 0), poke("b", 1))
        assertEquals(listOf("connected", "live b FRESH", "poke b 1"), List(3) { surplus.next() })
        assertEquals("connected", pokes.next())
        both.send(reconnect(1, 1, 60))
        call().fail(tooMany("1"))
        surplus.isOverLimit("b")
        val fewer = call()
        assertEquals(mapOf<String, Long?>("a" to 0), fewer.asks)
        // It has no owner now: what the old stream still brings is not told, so that a later one brings it in order.
        both.send(poke("b", 2), poke("a", 3))
        assertEquals("poke a 3", pokes.next())
        fewer.send(welcome(interests = 1), recovered("a", 0))
        assertEquals("connected", pokes.next())
        pokes.leave()
        val room = call()
        assertEquals(mapOf<String, Long?>("b" to 1), room.asks)
        room.send(welcome(interests = 1), recovered("b", 1), poke("b", 2))
        assertEquals(listOf("connected", "connected", "live b RECOVERED", "poke b 2"), List(4) { surplus.next() })
    }

    @Test
    fun `a welcome that allows fewer is heeded too, and one that allows more again`() = peerTest {
        val client = client()
        val (pokes, old) = start("a", "b", client = client)
        old.send(reconnect(1, 1, 60))
        val fewer = call()
        fewer.send(welcome(interests = 1), recovered("a", 0), recovered("b", 0), poke("b", 1))
        assertEquals("connected", pokes.next())
        pokes.isOverLimit("b")
        val asked = call()
        assertEquals(mapOf<String, Long?>("a" to 0), asked.asks)
        // No limit says nothing.
        asked.send(welcome(interests = 0), recovered("a", 0), reconnect(1, 1, 60))
        val more = call()
        assertEquals(mapOf<String, Long?>("a" to 0), more.asks)
        more.send(welcome(interests = 2), recovered("a", 0))
        val all = call()
        assertEquals(mapOf<String, Long?>("a" to 0, "b" to 0), all.asks)
        all.send(welcome(interests = 2), recovered("a", 0), recovered("b", 0), poke("b", 1))
        assertEquals(listOf("connected", "connected", "connected", "live b RECOVERED", "poke b 1"), List(5) { pokes.next() })
    }

    @Test
    fun `a refused set is final when no smaller one is named`() = peerTest {
        for (limit in listOf("0", "-1", "2", "3", "1.5", "many", "")) {
            val pokes = listen(client(), "a", "b")
            call().fail(tooMany(limit))
            val error = pokes.nextOrEnd() as PokeException
            assertEquals(PokeException.Kind.REFUSED to "TOO_MANY_INTERESTS", error.kind to error.reason, limit)
        }
        val pokes = listen(client(), "a", "b")
        call().fail(failure(Code.INVALID_ARGUMENT, "a proxy's"))
        assertEquals("failed REFUSED", pokes.next())
    }

    @Test
    fun `the limit outlives the stream`() = peerTest {
        val client = client()
        val (pokes, call) = start("a", client = client)
        call.send(ended("a", 1))
        assertEquals(listOf("ended a 1", "over"), List(2) { pokes.next() })
        val more = List(4) { listen(client, "${'b' + it}") }
        more[3].isOverLimit("e")
        assertEquals(setOf("b", "c", "d"), call().asks.keys)
    }
}
