package dev.poke

import com.google.protobuf.value
import dev.poke.v1.SubscribeResponse
import dev.poke.v1.ended
import dev.poke.v1.subscribeResponse
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.json.Json
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import dev.poke.v1.GapReason as WireGapReason
import dev.poke.v1.Outcome as WireOutcome
import dev.poke.v1.poke as wirePoke

/** Resume by position, and what is dropped because it has been seen. */
internal class ResumeTest {
    @Test
    fun `a poke arrives and leaving the flow cancels the call`() = peerTest {
        val pokes = listen(client(), "a")
        val call = call()
        assertEquals(mapOf<String, Long?>("a" to null), call.asks)
        call.send(welcome(), fresh("a", 3), poke("a", 7))
        assertEquals(listOf("connected", "live a FRESH", "poke a 7"), List(3) { pokes.next() })
        pokes.leave()
        call.cancelled.await()
    }

    @Test
    fun `a lost stream is resumed after the last poke`() = peerTest {
        val (pokes, lost) = start("a", "b")
        lost.send(poke("a", 7))
        assertEquals("poke a 7", pokes.next())
        lost.reset()
        assertEquals("reconnecting", pokes.next())
        val call = call()
        assertEquals(mapOf<String, Long?>("a" to 7, "b" to 0), call.asks)
        call.send(welcome(), recovered("a", 7), poke("a", 8))
        assertEquals("live a RECOVERED", pokes.resumed())
        assertEquals("poke a 8", pokes.next())
    }

    @Test
    fun `checkpoints raise the quiet interests of their epoch`() = peerTest {
        val (pokes, call) = start("a", "b")
        call.send(poke("b", at(2, "f")), heartbeat(at(40)), poke("a", 41), heartbeat(at(30)))
        assertEquals(listOf("poke b 2", "poke a 41"), List(2) { pokes.next() })
        call.reset()
        assertEquals("reconnecting", pokes.next())
        assertEquals(mapOf<String, Long?>("a" to 41, "b" to 2), call().asks)
    }

    @Test
    fun `a loss whose gap has not come yet is not forgotten`() = peerTest {
        val client = client()
        val pokes = listen(client.pokes(listOf(filter("a")), positions = listOf(saved("a", 5))))
        val lost = call()
        assertEquals(mapOf<String, Long?>("a" to 5), lost.asks)
        // Neither the new start nor a checkpoint may hide what is between 5 and 20.
        lost.send(welcome(), subscribed("a", at(20), WireOutcome.OUTCOME_GAP), heartbeat(at(30)))
        assertEquals("live a GAP", pokes.resumed())
        assertEquals(listOf(saved("a", 5)), client.positions())
        lost.reset()
        assertEquals("reconnecting", pokes.next())
        val call = call()
        assertEquals(mapOf<String, Long?>("a" to 5), call.asks)
        val gap = gap("a", WireGapReason.GAP_REASON_EVICTED, at(20))
        call.send(welcome(), subscribed("a", at(20), WireOutcome.OUTCOME_GAP), gap, poke("a", 21))
        assertEquals("live a GAP", pokes.resumed())
        assertEquals(listOf("gap a EVICTED 20", "poke a 21"), List(2) { pokes.next() })
    }

    @Test
    fun `what is at or before the saved position is dropped`() = peerTest {
        val (pokes, call) = start("a")
        call.send(poke("a", 10), poke("a", 10), poke("a", 9), gap("a", WireGapReason.GAP_REASON_LAGGED, at(10)), poke("a", 11))
        assertEquals(listOf("poke a 10", "poke a 11"), List(2) { pokes.next() })
    }

    @Test
    fun `another epoch is always new and replaces the saved position whatever that is`() = peerTest {
        val (pokes, call) = start("a")
        call.send(poke("a", 10), poke("a", at(3, "f")), poke("a", 4))
        assertEquals(listOf("poke a 10", "poke a 3", "poke a 4"), List(3) { pokes.next() })
        call.send(poke("a", 10), gap("a", WireGapReason.GAP_REASON_EPOCH_CHANGED, at(2)), poke("a", 3))
        assertEquals(listOf("poke a 10", "gap a EPOCH_CHANGED 2", "poke a 3"), List(3) { pokes.next() })
    }

    @Test
    fun `a gap of all interests is told for each that has lost something`() = peerTest {
        val (pokes, call) = start("a", "b", "c")
        call.send(poke("b", 9), gap(null, WireGapReason.GAP_REASON_BACKPLANE, at(8)), poke("a", 10))
        assertEquals(listOf("poke b 9", "gap a BACKPLANE 8", "gap c BACKPLANE 8", "poke a 10"), List(4) { pokes.next() })
    }

    @Test
    fun `positions are those of what the program has taken, and survive the process as JSON`() = peerTest {
        val client = client()
        coroutineScope {
            val interests = listOf(filter("a"), filter("b"))
            val taken = async { client.pokes(interests).map { client.positions() }.take(5).toList() }
            call().send(welcome(), fresh("a", 0), fresh("b", 0), poke("a", 7), heartbeat(at(8)), poke("b", 9))
            val seen = taken.await()
            assertEquals(listOf(saved("a", 7), saved("b", 0)), seen[3])
            assertEquals(listOf(saved("a", 8), saved("b", 9)), seen[4])
            val json = Json.encodeToString(seen[3])
            assertEquals("""{"domain":"D","filter":"a","position":{"epoch":"e","sequence":"7"}}""", json.drop(1).take(67))
            val again = Json.decodeFromString<List<SavedPosition>>(json)
            listen(client().pokes(interests, positions = again))
            assertEquals(mapOf<String, Long?>("a" to 7, "b" to 0), call().asks)
        }
        val customer = SavedPosition("D", "a", Audience.CUSTOMER, Position("e", Long.MIN_VALUE))
        val position = """{"epoch":"e","sequence":"-9223372036854775808"}"""
        val json = """{"domain":"D","filter":"a","audience":"customer","position":$position}"""
        assertEquals(json, Json.encodeToString(customer))
        assertEquals(customer, Json.decodeFromString(json))
    }

    @Test
    fun `latest is asked for once`() = peerTest {
        val pokes = listen(client().pokes(filter("a"), latest = true))
        val call = call()
        assertTrue(call.subscriptions.single().hasLatest())
        call.send(welcome(), fresh("a", 4))
        assertEquals("live a FRESH", pokes.resumed())
        call.reset()
        assertEquals("reconnecting", pokes.next())
        assertEquals(mapOf<String, Long?>("a" to 4), call().asks)
    }

    @Test
    fun `a message that cannot be read becomes a gap and is never asked for again`() = peerTest {
        val (pokes, garbled) = start("a")
        garbled.send(poke("a", 7))
        assertEquals("poke a 7", pokes.next())
        garbled.garble()
        assertEquals("reconnecting", pokes.next())
        garbled.cancelled.await()
        val call = call()
        assertEquals(mapOf<String, Long?>("a" to null), call.asks)
        call.send(welcome(), fresh("a", 9), poke("a", 10))
        assertEquals("live a FRESH", pokes.resumed())
        assertEquals(listOf("gap a UNDECODABLE 9", "poke a 10"), List(2) { pokes.next() })
    }

    @Test
    fun `a message without what the contract promises cannot be read`() = peerTest {
        val noInterest = subscribeResponse { ended = ended { position = at(1) } }
        val noKind = subscribeResponse {
            poke = wirePoke { domain = "D"; filter = "a"; position = at(1); data = value {} }
        }
        for (message in listOf(noInterest, noKind)) {
            val (pokes, call) = start("a")
            call.send(message)
            assertEquals(PokeException.Kind.PROTOCOL, pokes.reconnecting().cause.kind)
        }
    }

    @Test
    fun `an event of a later contract is ignored`() = peerTest {
        val (pokes, call) = start("a")
        // Field 1000, a string.
        call.send(SubscribeResponse.parseFrom(byteArrayOf(0xc2.toByte(), 0x3e, 2, 'h'.code.toByte(), 'i'.code.toByte())))
        call.send(poke("a", 1))
        assertEquals("poke a 1", pokes.next())
    }

    @Test
    fun `an end is final and the last one completes the flow`() = peerTest {
        val client = client()
        val (pokes, lost) = start("a", "b", "c", client = client)
        lost.send(ended("a", 5))
        assertEquals("ended a 5", pokes.next())
        lost.reset()
        assertEquals("reconnecting", pokes.next())
        val call = call()
        assertEquals(mapOf<String, Long?>("b" to 0, "c" to 0), call.asks)
        call.send(welcome(), recovered("b", 0), rejected("c", Code.NOT_FOUND), poke("b", 8), ended("b", 9))
        call.finish()
        assertEquals("live b RECOVERED", pokes.resumed())
        assertEquals(listOf("rejected c true", "poke b 8", "ended b 9", "failed REFUSED"), List(4) { pokes.next() })
        // The client itself goes on.
        listen(client, "d")
        assertEquals(mapOf<String, Long?>("d" to null), call().asks)
    }

    @Test
    fun `an end counts also before the saved position`() = peerTest {
        val pokes = listen(client().pokes(listOf(filter("a")), positions = listOf(saved("a", 9))))
        call().send(welcome(), recovered("a", 9), ended("a", 8))
        assertEquals("live a RECOVERED", pokes.resumed())
        assertEquals(listOf("ended a 8", "over"), List(2) { pokes.next() })
    }
}

private fun saved(filter: String, sequence: Long) =
    SavedPosition("D", filter, position = Position("e", sequence))
