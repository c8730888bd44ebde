package dev.poke

import com.google.protobuf.ByteString
import dev.poke.Remedy.GIVE_UP
import dev.poke.Remedy.REFRESH_TOKEN
import dev.poke.Remedy.RETRY
import dev.poke.Remedy.RETRY_AT_ONCE
import dev.poke.v1.errorInfo
import dev.poke.v1.errorStatus
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import com.google.protobuf.Any as WireAny

/** The state alone, with loaded dice: every wait is as long as it can be. */
internal class StateTest {
    /** A state and the time. */
    private class Rig {
        val state = State(64, canRefreshToken = false, dice = { it })
        val reader = Reader()
        var now = SECOND

        init {
            state.join(now, reader, mapOf(filter("a") to Start.New))
            openedAfter()
        }

        /** Lets time go by until a call is opened; answers how long that took. It is taken to be the newest. */
        fun openedAfter(): Duration {
            val begun = now
            while (true) {
                state.onTime(now)
                if (state.takeActions().any { it is Action.Open }) return now - begun
                now = state.deadline()
            }
        }

        fun say(vararg messages: dev.poke.v1.SubscribeResponse) =
            messages.forEach { state.onMessage(now, state.newestId, it) }

        fun goLive() = say(welcome(), recovered("a", 1))

        fun lose(error: PokeException = LOST): Duration {
            state.onEnd(now, state.newestId, error)
            return openedAfter()
        }
    }

    private fun rig(test: Rig.() -> Unit) = Rig().test()

    @Test
    fun `the first retry after an unannounced loss is spread and the next back off`() = rig {
        goLive()
        assertEquals(listOf(5.seconds, 1.seconds, 2.seconds), List(3) { lose() })
    }

    @Test
    fun `before the first welcome there is no spread`() = rig {
        assertEquals(listOf(500.milliseconds, 1.seconds), List(2) { lose() })
    }

    @Test
    fun `backoff starts again only after thirty seconds live`() = rig {
        for (wait in listOf(5, 1, 2, 4, 8, 16, 30, 30)) {
            goLive()
            now += 29.seconds
            assertEquals(wait.seconds, lose())
        }
        goLive()
        now += 30.seconds
        assertEquals(5.seconds, lose())
    }

    @Test
    fun `an announced loss is spread after RetryInfo and forgets earlier failures`() = rig {
        for (wait in listOf(5, 1, 2)) {
            goLive()
            assertEquals(wait.seconds, lose())
        }
        goLive()
        say(reconnect(9, 9, 60))
        assertEquals(6.seconds, lose(refusal(Code.UNAVAILABLE, retryAfter = SECOND)))
        assertEquals(1.seconds, lose())
    }

    @Test
    fun `moves that fail while the old stream lives do not delay the return after it`() = rig {
        goLive()
        say(reconnect(0, 0, 24))
        openedAfter()
        val closesAt = now + 24.seconds
        var attempts = 1
        while (true) {
            state.onEnd(now, state.newestId, LOST)
            if (state.deadline() >= closesAt) break
            openedAfter()
            attempts++
        }
        assertTrue(attempts in 8..<20, "$attempts within the window")
        now = closesAt
        state.onEnd(now, 1, refusal(Code.UNAVAILABLE, retryAfter = SECOND))
        assertEquals(6.seconds, openedAfter(), "RetryInfo and the spread")
        assertEquals(1.seconds, lose())
    }

    @Test
    fun `a stream that outlives what it said is left at the ordinary pace`() = rig {
        goLive()
        say(reconnect(0, 0, 1))
        openedAfter()
        now += 2.seconds
        assertEquals(listOf(500, 1000, 2000, 4000, 8000, 16_000), List(6) { lose().inWholeMilliseconds.toInt() })
    }

    @Test
    fun `RetryInfo comes on top of the backoff`() = rig {
        goLive()
        assertEquals(3500.milliseconds, lose(refusal(Code.ABORTED, retryAfter = 3.seconds)))
        assertEquals(4.seconds, lose(refusal(Code.ABORTED, retryAfter = 3.seconds)))
    }

    @Test
    fun `a move happens within its window and leaves the connection`() = rig {
        goLive()
        say(reconnect(2, 9, 60))
        assertEquals(listOf<Action>(Action.Retire(1)), state.takeActions())
        assertEquals(9.seconds, openedAfter())
    }

    @Test
    fun `a failed move is tried again and the program never hears of it`() = rig {
        goLive()
        say(reconnect(1, 1, 60))
        openedAfter()
        while (state.take(now, reader) != null) Unit
        assertEquals(listOf(500.milliseconds, 1.seconds), List(2) { lose() })
        assertNull(state.take(now, reader))
        assertNotNull(state.call(1))
    }

    @Test
    fun `a window longer than the stream is cut to it`() = rig {
        goLive()
        say(reconnect(50, 100, 30))
        assertEquals(30.seconds, openedAfter())
    }

    @Test
    fun `reconnecting says why and when`() = rig {
        state.onEnd(now, 1, LOST)
        val event = assertIs<PokeEvent.Reconnecting>(assertIs<Item.Told>(state.take(now, reader)).event)
        assertEquals(500.milliseconds to Code.UNAVAILABLE, event.delay to event.cause.code)
    }

    @Test
    fun `each code has its remedy`() {
        // Code, what to do when the server says so, and when a status has no sign of the server.
        val table = mapOf(
            Code.CANCELLED to (GIVE_UP to RETRY_AT_ONCE),
            Code.UNKNOWN to (GIVE_UP to RETRY_AT_ONCE),
            Code.INVALID_ARGUMENT to (GIVE_UP to GIVE_UP),
            Code.DEADLINE_EXCEEDED to (RETRY to RETRY),
            Code.NOT_FOUND to (GIVE_UP to GIVE_UP),
            Code.ALREADY_EXISTS to (GIVE_UP to GIVE_UP),
            Code.PERMISSION_DENIED to (GIVE_UP to GIVE_UP),
            Code.RESOURCE_EXHAUSTED to (GIVE_UP to GIVE_UP),
            Code.FAILED_PRECONDITION to (GIVE_UP to GIVE_UP),
            Code.ABORTED to (GIVE_UP to GIVE_UP),
            Code.OUT_OF_RANGE to (GIVE_UP to GIVE_UP),
            Code.UNIMPLEMENTED to (GIVE_UP to GIVE_UP),
            Code.INTERNAL to (GIVE_UP to RETRY_AT_ONCE),
            Code.UNAVAILABLE to (RETRY to RETRY),
            Code.DATA_LOSS to (GIVE_UP to GIVE_UP),
            Code.UNAUTHENTICATED to (REFRESH_TOKEN to REFRESH_TOKEN),
        )
        assertEquals(Code.entries - Code.OK, table.keys.toList().sorted())
        for ((code, remedies) in table) {
            val actual = refusal(code).remedy to failure(code, "").remedy
            assertEquals(remedies, actual, "$code")
            assertEquals(RETRY, refusal(code, retryAfter = SECOND).remedy, "$code with RetryInfo")
        }
    }

    @Test
    fun `the details of a status are read by the names of google rpc, and garbage is nobody's`() {
        fun detail(name: String, payload: ByteString) =
            WireAny.newBuilder().setTypeUrl("type.googleapis.com/google.rpc.$name").setValue(payload).build()
        val retry = dev.poke.v1.retryInfo { retryDelay = com.google.protobuf.duration { seconds = 3 } }
        val bad = dev.poke.v1.badRequest {
            fieldViolations += dev.poke.v1.BadRequestKt.fieldViolation { field = "filter"; description = "is empty" }
        }
        val info = errorInfo { reason = "INVALID_FILTER"; domain = "poke.v1" }
        val status = errorStatus {
            details += detail("ErrorInfo", info.toByteString())
            details += detail("RetryInfo", retry.toByteString())
            details += detail("BadRequest", bad.toByteString())
            details += detail("Help", ByteString.copyFromUtf8("of another kind"))
        }
        val read = failure(Code.INVALID_ARGUMENT, "", Details.parse(status.toByteArray()))
        assertEquals("INVALID_FILTER" to 3.seconds, read.reason to read.retryAfter)
        assertEquals(listOf(PokeException.Violation("filter", "is empty")), read.violations)
        assertNull(Details.parse(byteArrayOf(-1, -1)).info)
    }

    @Test
    fun `a retry delay of ages overflows nothing`() = rig {
        val ages = com.google.protobuf.duration { seconds = Long.MAX_VALUE }.bounded()
        state.onEnd(now, 1, refusal(Code.UNAVAILABLE, retryAfter = ages))
        assertTrue(state.deadline() < 48.hours)
    }

    @Test
    fun `nothing is retried when nothing is wanted any more`() = rig {
        state.leave(now, reader)
        state.onEnd(now, 1, refusal(Code.NOT_FOUND))
        assertTrue(!state.isOver)
        state.onTime(now + SECOND)
        assertTrue(state.takeActions().isEmpty())
        assertEquals(NEVER, state.deadline())
    }

    @Test
    fun `sequences compare as signed`() {
        assertTrue(Position("e", -1).isAtOrBefore(Position("e", 0)))
        assertTrue(Position("e", Long.MIN_VALUE).isAtOrBefore(Position("e", Long.MAX_VALUE)))
        assertTrue(!Position("e", 0).isAtOrBefore(Position("f", 1)) && !Position("f", 1).isAtOrBefore(Position("e", 0)))
    }

    @Test
    fun `backoff doubles from half a second to thirty, fits into what is left, and never overflows`() {
        val backoff = Backoff()
        val bounds = List(9) { backoff.next({ it }).inWholeMilliseconds }
        assertEquals(listOf<Long>(500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000), bounds)
        repeat(100) { assertEquals(30.seconds, backoff.next({ it })) }
        val hurried = Backoff()
        var left = 20.seconds
        val waits = buildList {
            while (left > Duration.ZERO) {
                val wait = hurried.nextBefore({ it }, left)
                add(wait.inWholeMilliseconds)
                left -= wait
            }
        }
        assertEquals(listOf<Long>(500, 1000, 2000, 4000, 6250, 3125, 1562, 781, 500, 500), waits)
        assertTrue(List(1000) { fairDice(SECOND) }.all { it in Duration.ZERO..SECOND })
    }
}

private val LOST = failure(Code.UNAVAILABLE, "the network")
