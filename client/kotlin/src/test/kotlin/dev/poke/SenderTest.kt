package dev.poke

import dev.poke.v1.EndInterestRequest
import dev.poke.v1.PublishRequest
import dev.poke.v1.endInterestResponse
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonArray
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Publish and EndInterest: retries under one key, within a deadline. */
internal class SenderTest {
    @Serializable
    data class Change(val added: Int, val by: String?)

    @Test
    fun `a poke is published`() = peerTest {
        coroutineScope {
            val client = client(token = "secret")
            val publishing = async { client.publish("PLAYLIST", "42", Change(7, null), idempotencyKey = "k") }
            val call = call()
            assertEquals("secret", call.token)
            val request = call.request as PublishRequest
            assertEquals(Triple("PLAYLIST", "42", "k"), Triple(request.domain, request.filter, request.idempotencyKey))
            assertEquals("""{"added":7,"by":null}""", toJson(request.data).toString())
            call.accept(5)
            assertEquals(Published(Position("e", 5), 3, false), publishing.await())
        }
    }

    @Test
    fun `undefined, null and text are three things`() = peerTest {
        coroutineScope {
            val client = client()
            for ((send, read) in listOf<Pair<suspend () -> Published, String?>>(
                suspend { client.publish("D", "a") } to null,
                suspend { client.publish("D", "a", JsonNull) } to "null",
                suspend { client.publish("D", "a", "") } to "\"\"",
                suspend { client.publish("D", "a", JsonPrimitive(true)) } to "true",
            )) {
                val publishing = async { send() }
                val call = call()
                val request = call.request as PublishRequest
                assertEquals(read, if (request.hasData()) toJson(request.data).toString() else null)
                call.accept(1)
                publishing.await()
            }
        }
    }

    @Test
    fun `a retry has the key of the first attempt`() = peerTest {
        coroutineScope {
            val client = client()
            val publishing = async { client.publish("D", "a") }
            val first = call()
            val key = (first.request as PublishRequest).idempotencyKey
            assertTrue(Regex("[0-9a-f]{32}").matches(key))
            first.fail(refusal(Code.UNAVAILABLE, "BACKPLANE_UNAVAILABLE", SECOND))
            val failed = now
            val second = call()
            assertTrue(now - failed >= SECOND)
            assertEquals(key, (second.request as PublishRequest).idempotencyKey)
            second.accept(5)
            publishing.await()
        }
    }

    @Test
    fun `an empty key is none, so that a retry can't become a second poke`() = peerTest {
        coroutineScope {
            val client = client()
            val publishing = async { client.publish("D", "a", idempotencyKey = "") }
            val call = call()
            assertTrue((call.request as PublishRequest).idempotencyKey.isNotEmpty())
            call.accept(5)
            publishing.await()
        }
    }

    @Test
    fun `a connection that swallows the first attempt is left for another`() = peerTest {
        coroutineScope {
            val client = client()
            val publishing = async { client.publish("D", "a") }
            val swallowed = call()
            val second = call()
            assertNotEquals(swallowed.connection, second.connection)
            second.accept(5)
            publishing.await()
        }
    }

    @Test
    fun `after the deadline the outcome is unknown`() = peerTest {
        refusal = failure(Code.UNAVAILABLE, "refused")
        val begun = now
        val error = assertFailsWith<PokeException> { client().publish("D", "a", deadline = 5.seconds) }
        assertEquals(PokeException.Kind.UNAVAILABLE, error.kind)
        assertTrue(now - begun <= 6.seconds)
    }

    @Test
    fun `a refusal and a lack of TLS are final`() = peerTest {
        val begun = now
        refusal = refusal(Code.NOT_FOUND, "UNKNOWN_DOMAIN")
        val refused = assertFailsWith<PokeException> { client().endInterest("D", "a") }
        assertEquals("the server refused: UNKNOWN_DOMAIN", refused.message)
        refusal = PokeException(PokeException.Kind.TLS, "expired", remedy = Remedy.RETRY)
        assertEquals(PokeException.Kind.TLS, assertFailsWith<PokeException> { client().publish("D", "a") }.kind)
        assertEquals(begun, now)
    }

    @Test
    fun `what the transport raises after GOAWAY is retried at once, and the end has its position`() = peerTest {
        coroutineScope {
            val client = client()
            val ending = async { client.endInterest("D", "a", JsonPrimitive("bye"), customerId = "c") }
            val begun = now
            call().fail(failure(Code.CANCELLED, ""))
            val second = call()
            assertEquals(begun, now)
            val request = second.request as EndInterestRequest
            assertEquals("c" to "bye", request.customerId to request.data.stringValue)
            assertEquals(dev.poke.v1.Audience.AUDIENCE_CUSTOMER, request.audience)
            second.frames.send(endInterestResponse { position = at(9) })
            assertEquals(Position("e", 9), ending.await())
        }
    }

    @Test
    fun `a token is refreshed for a publish too`() = peerTest {
        coroutineScope {
            var fetches = 0
            val client = client(tokenProvider = { delay(10.milliseconds).let { "t${++fetches}" } })
            val publishing = async { client.publish("D", "a") }
            call().fail(refusal(Code.UNAUTHENTICATED, "TOKEN_EXPIRED"))
            val second = call()
            assertEquals("t2", second.token)
            second.accept(1)
            publishing.await()
        }
    }

    @Test
    fun `what has no form on the wire is not sent`() = peerTest {
        val unsafe = buildJsonArray { add(9_007_199_254_740_993) }
        for (send in listOf<suspend (PokeClient) -> Unit>(
            { it.publish("D", "a", unsafe) },
            { it.publish("D", "a\uD800") },
            { it.publish("D", "a", idempotencyKey = "\uD800") },
            { it.endInterest("D", "a", JsonPrimitive("\uDC00")) },
            { it.publish("D", "a", idempotencyKey = "\uD800") },
        )) {
            assertEquals(PokeException.Kind.DATA, assertFailsWith<PokeException> { send(client()) }.kind)
        }
        assertEquals("failed DATA", listen(client(), "a\uD800").next())
        val halves = Interest("D\uD83D", "\uDE00")
        assertEquals("failed DATA", listen(client().pokes(halves)).next())
        assertTrue(isQuietFor(SECOND))
    }

    @Test
    fun `a closed client sends nothing`() = peerTest {
        coroutineScope {
            val client = client()
            val publishing = async { runCatching { client.publish("D", "a") } }
            val call = call()
            client.close()
            call.fail(failure(Code.CANCELLED, "cancelled"))
            for (outcome in listOf(publishing.await(), runCatching { client.publish("D", "a") })) {
                assertEquals(PokeException.Kind.CLOSED, (outcome.exceptionOrNull() as PokeException).kind)
            }
            assertTrue(isQuietFor(SECOND))
        }
    }

    @Test
    fun `a token that can't be a header is refused at once, and never shown`() = peerTest {
        val error = assertFailsWith<PokeException> { client(token = "sec\nret") }
        assertEquals(PokeException.Kind.CONFIG, error.kind)
        assertTrue("ret" !in error.toString())
    }
}
