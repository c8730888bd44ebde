package dev.poke

import dev.poke.v1.ReconnectReason
import dev.poke.v1.errorInfo
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

/** The one rule about errors: what is retried, when, and what is final. */
internal class RetriesTest {
    @Test
    fun `a final error is thrown and nothing is tried again`() = peerTest {
        val (pokes, call) = start("a")
        call.fail(refusal(Code.PERMISSION_DENIED, "NOT_YOURS"))
        val error = pokes.nextOrEnd() as PokeException
        assertEquals(PokeException.Kind.REFUSED, error.kind)
        assertEquals(Code.PERMISSION_DENIED to "NOT_YOURS", error.code to error.reason)
        assertEquals("the server refused: NOT_YOURS", error.message)
        assertEquals("over", pokes.next())
        assertTrue(isQuietFor(1.minutes))
    }

    @Test
    fun `RetryInfo is a minimum for any code`() = peerTest {
        val (pokes, call) = start("a")
        val lost = now
        call.fail(refusal(Code.ABORTED, "CLIENT_STALLED", 7.seconds))
        val told = pokes.reconnecting()
        assertEquals(7.seconds, told.cause.retryAfter)
        assertTrue(told.delay in 7.seconds..8.seconds)
        call()
        assertTrue(now - lost >= 7.seconds)
    }

    @Test
    fun `a server that is away is tried for ever with growing waits`() = peerTest {
        refusal = failure(Code.UNAVAILABLE, "refused")
        val pokes = listen(client(), "a")
        for (bound in listOf(0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0)) {
            val told = pokes.reconnecting()
            assertEquals(Code.UNAVAILABLE, told.cause.code)
            assertTrue(told.delay <= bound.seconds)
        }
        refusal = null
        call().send(welcome(), fresh("a", 0))
        assertEquals("live a FRESH", pokes.resumed())
    }

    @Test
    fun `a first call that the transport cancels is retried at once but only once`() = peerTest {
        val pokes = listen(client(), "a")
        val first = call()
        val begun = now
        first.fail(failure(Code.CANCELLED, "GOAWAY"))
        val second = call()
        assertEquals(begun, now)
        assertNotEquals(0, second.connection)
        second.fail(failure(Code.INTERNAL, "GOAWAY"))
        assertEquals(Duration.ZERO, pokes.reconnecting().delay)
        assertTrue(pokes.reconnecting().delay > Duration.ZERO)
    }

    @Test
    fun `what is not gRPC and may become it is tried again, and the rest is final`() = peerTest {
        for (status in listOf(408, 429, 500, 502, 503, 504, 520)) {
            refusal = httpFailure(status, Exception())
            val told = listen(client(), "a").reconnecting()
            assertEquals(PokeException.Kind.UNAVAILABLE to status, told.cause.kind to told.cause.httpStatus)
        }
        for (status in listOf(200, 302, 400, 401, 403, 404, 405, 413, 415, 431)) {
            refusal = httpFailure(status, Exception())
            val error = listen(client(), "a").nextOrEnd() as PokeException
            val isRefusal = status in listOf(401, 403, 413, 431)
            val kind = if (isRefusal) PokeException.Kind.REFUSED else PokeException.Kind.PROTOCOL
            assertEquals(kind to status, error.kind to error.httpStatus)
        }
    }

    @Test
    fun `a stream that ends with OK while interests are left is lost`() = peerTest {
        val (pokes, call) = start("a")
        call.finish()
        assertEquals("reconnecting", pokes.next())
        assertEquals(mapOf<String, Long?>("a" to 0), call().asks)
    }

    @Test
    fun `a refused interest is asked for after its delay and the others go on`() = peerTest {
        val pokes = listen(client(), "a", "b")
        val old = call()
        old.send(welcome(), fresh("a", 0), rejected("b", Code.UNAVAILABLE, 20))
        val refused = now
        assertEquals("live a FRESH", pokes.resumed())
        assertEquals("rejected b false", pokes.next())
        old.send(poke("a", 1))
        assertEquals("poke a 1", pokes.next())
        val new = call()
        assertTrue(now - refused in 20.seconds..31.seconds)
        assertEquals(mapOf("a" to 1L, "b" to null), new.asks)
    }

    @Test
    fun `an interest that is refused for a while is not in earlier calls`() = peerTest {
        val pokes = listen(client(), "a", "b")
        call().send(welcome(), fresh("a", 0), rejected("b", Code.UNAVAILABLE, 300), reconnect(1, 1, 60))
        assertEquals(mapOf<String, Long?>("a" to 0), call().asks)
        assertEquals("live a FRESH", pokes.resumed())
    }

    @Test
    fun `an interest that the server had to cut is known by its beginning`() = peerTest {
        val long = "x".repeat(300)
        val pokes = listen(client(), "a", long)
        call().send(welcome(), fresh("a", 0), rejected(long.take(256), Code.INVALID_ARGUMENT), ended("a", 1))
        assertEquals("live a FRESH", pokes.resumed())
        assertEquals(listOf("rejected $long true", "ended a 1", "failed REFUSED"), List(3) { pokes.next() })
    }

    /** Tokens are `t1`, `t2` and so on; the first [failures] attempts to get one fail. */
    private fun Peer.clientWithTokens(failures: Int = 0): PokeClient {
        var fetches = 0
        return client(tokenProvider = {
            fetches++
            delay(10.milliseconds)
            if (fetches <= failures) throw IllegalStateException("no network")
            "t${fetches - failures}"
        })
    }

    @Test
    fun `a token that is not accepted is refreshed once`() = peerTest {
        val pokes = listen(clientWithTokens(), "a")
        val call = call()
        assertEquals("t1", call.token)
        call.fail(refusal(Code.UNAUTHENTICATED, "TOKEN_EXPIRED"))
        val again = call()
        assertEquals("t2", again.token)
        again.fail(refusal(Code.UNAUTHENTICATED, "TOKEN_EXPIRED"))
        assertEquals(listOf("failed REFUSED", "over"), List(2) { pokes.next() })
    }

    @Test
    fun `a stream that ends for its token goes on with another`() = peerTest {
        val (pokes, call) = start("a", client = clientWithTokens())
        call.fail(refusal(Code.UNAUTHENTICATED, "TOKEN_EXPIRED"))
        assertEquals("reconnecting", pokes.next())
        assertEquals("t2", call().token)
    }

    @Test
    fun `a token that is about to expire is refreshed before the move`() = peerTest {
        val (_, call) = start("a", client = clientWithTokens())
        call.send(reconnect(1, 2, 60, ReconnectReason.RECONNECT_REASON_TOKEN_EXPIRING))
        val new = call()
        assertEquals("t2" to call.connection, new.token to new.connection)
        assertTrue(!call.cancelled.isCompleted)
    }

    @Test
    fun `a token that can not be had is a lost connection`() = peerTest {
        val pokes = listen(clientWithTokens(failures = 2), "a")
        repeat(2) { assertEquals(PokeException.Kind.TOKEN, pokes.reconnecting().cause.kind) }
        assertEquals("t1", call().token)
    }

    @Test
    fun `a provider that runs out of its own time has failed, and one that is given up goes on for others`() = peerTest {
        val late = client(tokenProvider = { withTimeout(10.milliseconds) { awaitCancellation() } })
        assertEquals(PokeException.Kind.TOKEN, listen(late, "a").reconnecting().cause.kind)
        late.close()
        val slow = client(tokenProvider = { delay(7.seconds).let { "t" } })
        listen(slow, "a")
        assertEquals(null, withTimeoutOrNull(SECOND) { slow.publish("D", "a") })
        assertEquals("t", call().token)
    }

    @Test
    fun `only an error of the server itself has a reason`() {
        val proxy = Details(errorInfo { reason = "QUOTA"; domain = "proxy.example" })
        assertEquals(null, failure(Code.RESOURCE_EXHAUSTED, "", proxy).reason)
        assertEquals("REASON", refusal(Code.RESOURCE_EXHAUSTED).reason)
    }

    @Test
    fun `a token that never changes is refused for good`() = peerTest {
        val (pokes, call) = start("a", client = client(token = "secret"))
        assertEquals("secret", call.token)
        // There is nothing to move to before it ends.
        call.send(reconnect(1, 2, 60, ReconnectReason.RECONNECT_REASON_TOKEN_EXPIRING))
        assertTrue(isQuietFor(3.seconds))
        call.fail(refusal(Code.UNAUTHENTICATED, "TOKEN_EXPIRED"))
        assertEquals(listOf("failed REFUSED", "over"), List(2) { pokes.next() })
    }
}
