package dev.poke

import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import okhttp3.tls.HandshakeCertificates
import okhttp3.tls.HeldCertificate
import java.util.concurrent.TimeUnit
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** Against the real server: what the SDK promises to applications. */
internal class ServerTest : ServerRig() {
    private val quickly = arrayOf("stream.reconnect_spread" to "\"200ms\"")

    @Test
    fun `data unset, empty and null are three different things`() = test { server ->
        for (protocol in Protocol.entries) PokeClient(server.url, protocol = protocol).use { client ->
            val pokes = listen(client, "f")
            pokes.next<PokeEvent.Live>()
            client.publish("PLAYLIST", "f")
            client.publish("PLAYLIST", "f", "")
            client.publish("PLAYLIST", "f", JsonNull)
            assertEquals(listOf(null, JsonPrimitive(""), JsonNull), List(3) { pokes.data() })
        }
    }

    @Serializable
    data class Track(val id: Long, val gain: Double, val by: String? = null)

    @Test
    fun `typed data arrives as it was, whole numbers as Long`() = test { server ->
        PokeClient(server.url).use { client ->
            val pokes = listen(client, "f")
            pokes.next<PokeEvent.Live>()
            client.publish("PLAYLIST", "f", Track(9_007_199_254_740_991, 2.0))
            val poke = pokes.next<PokeEvent.Poke>()
            assertEquals(Track(9_007_199_254_740_991, 2.0), poke.decode())
            assertEquals("""{"gain":2,"id":9007199254740991}""", JsonObject((poke.data as JsonObject).toSortedMap()).toString())
        }
    }

    @Test
    fun `an error tells its code, reason and fields`() = test { server ->
        for (protocol in Protocol.entries) PokeClient(server.url, protocol = protocol).use { client ->
            val error = assertFailsWith<PokeException> { client.publish("PLAYLIST", "") }
            assertEquals(PokeException.Kind.REFUSED to Code.INVALID_ARGUMENT, error.kind to error.code)
            assertEquals("INVALID_FILTER" to "filter", error.reason to error.violations.single().field)
            val pokes = listen(client, "bad\n", "good")
            assertEquals("INVALID_FILTER", pokes.next<PokeEvent.Rejected>().reason)
        }
    }

    @Test
    fun `131,072 bytes pass and arrive, and 131,073 are refused`() = test { server ->
        PokeClient(server.url).use { client ->
            val pokes = listen(client, "size")
            pokes.next<PokeEvent.Live>()
            // Each name takes two bytes beside its own.
            val names = 2 + "PLAYLIST".length + 2 + "size".length
            var text = "x".repeat(131_072 - names - 20)
            text = text.padEnd(text.length + 131_072 - names - encodedSize(JsonPrimitive(text)), 'x')
            assertEquals(131_072, names + encodedSize(JsonPrimitive(text)))
            client.publish("PLAYLIST", "size", text)
            assertEquals(JsonPrimitive(text), pokes.data())
            val error = assertFailsWith<PokeException> { client.publish("PLAYLIST", "size", text + "x") }
            assertEquals(Code.RESOURCE_EXHAUSTED to "POKE_TOO_LARGE", error.code to error.reason)
        }
    }

    @Test
    fun `data of 24 nested levels comes back inside the full envelope`() = test { server ->
        PokeClient(server.url).use { client ->
            val pokes = listen(client, "deep")
            pokes.next<PokeEvent.Live>()
            val lists = (1..24).fold<Int, JsonElement>(JsonPrimitive(1)) { inner, _ -> JsonArray(listOf(inner)) }
            val objects = (1..24).fold<Int, JsonElement>(JsonNull) { inner, _ -> JsonObject(mapOf("a" to inner)) }
            for (deep in listOf(lists, objects)) {
                client.publish("PLAYLIST", "deep", deep)
                assertEquals(deep, pokes.data())
                client.endInterest("PLAYLIST", "end${deep.hashCode()}", deep)
                assertEquals(deep, listen(client, "end${deep.hashCode()}").next<PokeEvent.Ended>().data)
            }
            val error = assertFailsWith<PokeException> { client.publish("PLAYLIST", "deep", JsonArray(listOf(lists))) }
            assertEquals(PokeException.Kind.DATA, error.kind)
        }
    }

    @Test
    fun `two flows of one interest get one delivery each, and one leaving does not end the other's`() = test { server ->
        PokeClient(server.url).use { client ->
            val first = listen(client, "shared", "other")
            val second = listen(client, "shared")
            first.next<PokeEvent.Live>()
            second.next<PokeEvent.Live>()
            server.metricBecomes("poke_streams_open", 1.0)
            client.publish("PLAYLIST", "shared", 1)
            client.publish("PLAYLIST", "shared", 2)
            for (pokes in listOf(first, second)) assertEquals(listOf(1, 2), List(2) { pokes.next<PokeEvent.Poke>().decode<Int>() })
            first.cancel()
            client.publish("PLAYLIST", "shared", 3)
            assertEquals(3, second.next<PokeEvent.Poke>().decode<Int>())
            server.metricBecomes("poke_streams_open", 1.0)
        }
    }

    @Test
    fun `of two clients one leaves, which the server sees at once, and the other still receives`() = test { server ->
        val leaving = PokeClient(server.url)
        PokeClient(server.url).use { staying ->
            val pokes = listen(staying, "f")
            val other = listen(leaving, "f")
            pokes.next<PokeEvent.Live>()
            other.next<PokeEvent.Live>()
            server.metricBecomes("poke_streams_open", 2.0)
            val left = TimeSource.Monotonic.markNow()
            leaving.close()
            assertFailsWith<PokeException> { while (true) other.receive() }
            server.metricBecomes("poke_streams_open", 1.0)
            assertTrue(left.elapsedNow() < 2.seconds)
            staying.publish("PLAYLIST", "f", "still")
            assertEquals(JsonPrimitive("still"), pokes.data())
            pokes.cancel()
            server.metricBecomes("poke_streams_open", 0.0)
        }
    }

    @Test
    fun `a hundred clients that come and go leave nothing behind`() = test { server ->
        fun threads() = Thread.getAllStackTraces().keys.count { it.name == "poke" }
        val before = threads()
        repeat(100) {
            PokeClient(server.url).use { client ->
                val pokes = listen(client, "f")
                pokes.next<PokeEvent.Live>()
                client.publish("PLAYLIST", "f")
                if (it % 2 == 0) pokes.cancel()
            }
        }
        server.metricBecomes("poke_streams_open", 0.0)
        server.metricBecomes("poke_connections_open", 0.0)
        eventually("the threads to end") { Unit.takeIf { threads() <= before } }
    }

    @Test
    fun `an end completes the flow, and a late comer's too`() = test { server ->
        PokeClient(server.url).use { client ->
            val pokes = listen(client, "over")
            pokes.next<PokeEvent.Live>()
            val position = client.endInterest("PLAYLIST", "over", JsonPrimitive("bye"))
            val ended = pokes.next<PokeEvent.Ended>()
            assertEquals(position to JsonPrimitive("bye"), ended.position to ended.data)
            assertTrue(pokes.receiveCatching().isClosed)
            assertEquals(position, client.endInterest("PLAYLIST", "over"))
            assertEquals(position, listen(client, "over").next<PokeEvent.Ended>().position)
            val late = assertFailsWith<PokeException> { client.publish("PLAYLIST", "over") }
            assertEquals("INTEREST_ENDED", late.reason)
        }
    }

    @Test
    fun `a crash and a restart within 5 s, the next poke comes within 15 s, and a gap before it`() {
        val crashed = TestServer(*quickly)
        inTime {
            PokeClient(crashed.url).use { client ->
                val pokes = listen(client, "f")
                pokes.next<PokeEvent.Live>()
                client.publish("PLAYLIST", "f", 1)
                assertEquals(1, pokes.next<PokeEvent.Poke>().decode<Int>())
                val begun = TimeSource.Monotonic.markNow()
                crashed.kill9()
                pokes.next<PokeEvent.Reconnecting>()
                TestServer(*quickly, address = crashed.address).use { restarted ->
                    PokeClient(restarted.url).use { it.publish("PLAYLIST", "f", 2) }
                    assertEquals(GapReason.EPOCH_CHANGED, pokes.next<PokeEvent.Gap>().reason)
                    client.publish("PLAYLIST", "f", 3)
                    while (pokes.next<PokeEvent.Poke>().decode<Int>() != 3) Unit
                    assertTrue(begun.elapsedNow() < 15.seconds)
                }
            }
        }
        crashed.close()
    }

    @Test
    fun `twenty clients of twenty interests that are cut off at once come back apart, and publishing goes on`() = test(
        "stream.reconnect_spread" to "\"2s\"",
    ) { server ->
        Proxy(server.address).use { proxy ->
            val clients = List(20) { PokeClient(proxy.url) }
            val filters = Array(20) { "f$it" }
            val listeners = clients.map { listen(it, *filters) }
            for (pokes in listeners) repeat(20) { pokes.next<PokeEvent.Live>() }
            proxy.cut()
            val delays = listeners.map { it.next<PokeEvent.Reconnecting>().delay }
            assertTrue(delays.max() - delays.min() > 500.milliseconds, "$delays")
            PokeClient(server.url).use { publisher ->
                filters.map { async { publisher.publish("PLAYLIST", it, "after") } }.awaitAll()
            }
            for (pokes in listeners) {
                val outcomes = List(20) { pokes.next<PokeEvent.Live>().outcome }
                assertEquals(setOf(Outcome.RECOVERED), outcomes.toSet())
            }
            clients.forEach { it.close() }
        }
    }

    @Test
    fun `lost connections are replaced without a gap`() = test(*quickly) { server ->
        Proxy(server.address).use { proxy ->
            val publisher = PokeClient(server.url)
            PokeClient(proxy.url).use { client ->
                val pokes = listen(client, "cut")
                pokes.next<PokeEvent.Live>()
                for (number in 0..<30) {
                    publisher.publish("PLAYLIST", "cut", number)
                    if (number % 10 == 3) proxy.cut()
                }
                assertEquals(List(30) { it }, List(30) { pokes.next<PokeEvent.Poke>().decode<Int>() })
            }
            publisher.close()
        }
    }

    @Test
    fun `a network that is gone is noticed within two and a half heartbeats, and nothing is lost`() = test(
        "stream.heartbeat_interval" to "\"1s\"", *quickly,
    ) { server ->
        Proxy(server.address).use { proxy ->
            val publisher = PokeClient(server.url)
            PokeClient(proxy.url).use { client ->
                val pokes = listen(client, "silent")
                pokes.next<PokeEvent.Live>()
                proxy.isMute = true
                val gone = TimeSource.Monotonic.markNow()
                publisher.publish("PLAYLIST", "silent", 1)
                pokes.next<PokeEvent.Reconnecting>()
                assertTrue(gone.elapsedNow() in 1.seconds..4.seconds, "${gone.elapsedNow()}")
                proxy.isMute = false
                client.networkChanged()
                assertEquals(1, pokes.next<PokeEvent.Poke>().decode<Int>())
            }
            publisher.close()
        }
    }

    @Test
    fun `an idle stream outlives the read timeouts of Android's libraries, and frequent pings are no offence`() = test(
        "stream.heartbeat_interval" to "\"1m\"",
    ) { server ->
        val pinging = PokeClient(server.url) { pingInterval(200, TimeUnit.MILLISECONDS) }
        pinging.use { client ->
            val pokes = listen(client, "idle")
            pokes.next<PokeEvent.Live>()
            assertEquals(null, withTimeoutOrNull(12.seconds) { pokes.receive() })
            client.publish("PLAYLIST", "idle", "awake")
            assertEquals(JsonPrimitive("awake"), pokes.data())
        }
    }

    @Test
    fun `a maximum age of 2 s, held for 8 s, loses nothing, and calls around a GOAWAY never fail`() = test(
        "stream.max_age" to "\"2s\"", "stream.move_timeout" to "\"1s\"",
    ) { server ->
        PokeClient(server.url).use { client ->
            val pokes = listen(client, "ages")
            pokes.next<PokeEvent.Live>()
            for (number in 0..<160) {
                client.publish("PLAYLIST", "ages", number)
                delay(50)
            }
            assertEquals(
                List(160) { it },
                List(160) {
                    val event = pokes.next<PokeEvent>()
                    if (event is PokeEvent.Reconnecting) throw AssertionError("$event")
                    if (event is PokeEvent.Poke) event.decode<Int>() else pokes.next<PokeEvent.Poke>().decode<Int>()
                },
            )
            assertTrue(server.metric("poke_streams_opened_total") >= 3)
        }
    }

    @Test
    fun `an app that sleeps and comes back gets what it missed`() = test { server ->
        val publisher = PokeClient(server.url)
        PokeClient(server.url).use { client ->
            val pokes = listen(client, "app")
            pokes.next<PokeEvent.Live>()
            client.stop()
            server.metricBecomes("poke_streams_open", 0.0)
            publisher.publish("PLAYLIST", "app", "missed")
            client.start()
            assertEquals(JsonPrimitive("missed"), pokes.data())
        }
        publisher.close()
    }

    @Test
    fun `TLS with an authority of one's own works, and without it the problem is told apart`() {
        val authority = HeldCertificate.Builder().rsa2048().certificateAuthority(0).build()
        val own = HeldCertificate.Builder().rsa2048().addSubjectAlternativeName("127.0.0.1").signedBy(authority).build()
        val files = listOf("crt" to own.certificatePem(), "key" to own.privateKeyPkcs8Pem()).map { (name, pem) ->
            java.io.File.createTempFile("poke", ".$name").apply { writeText(pem); deleteOnExit() }.path
        }
        val trust = HandshakeCertificates.Builder().addTrustedCertificate(authority.certificate).build()
        test("tls.certificate" to "\"${files[0]}\"", "tls.key" to "\"${files[1]}\"") { server ->
            val url = "https://${server.address}"
            for (protocol in Protocol.entries) {
                val client = PokeClient(url, protocol = protocol) { sslSocketFactory(trust.sslSocketFactory(), trust.trustManager) }
                client.use {
                    val pokes = listen(client, "tls$protocol")
                    pokes.next<PokeEvent.Live>()
                    client.publish("PLAYLIST", "tls$protocol", "secure")
                    assertEquals(JsonPrimitive("secure"), pokes.data())
                }
            }
            PokeClient(url).use { stranger ->
                val error = assertFailsWith<PokeException> { stranger.publish("PLAYLIST", "tls") }
                assertEquals(PokeException.Kind.TLS, error.kind)
                val lost = listen(stranger, "tls").next<PokeEvent.Reconnecting>()
                assertEquals(PokeException.Kind.TLS, lost.cause.kind)
            }
        }
    }

    @Test
    fun `a server that isn't there, or isn't ours, is said in words`() {
        val gone = TestServer().use { it.url }
        inTime {
            val error = assertFailsWith<PokeException> { PokeClient(gone).use { it.publish("D", "a", deadline = 2.seconds) } }
            assertEquals(PokeException.Kind.UNAVAILABLE, error.kind)
            val web = com.sun.net.httpserver.HttpServer.create(java.net.InetSocketAddress("127.0.0.1", 0), 0)
            web.createContext("/") { it.sendResponseHeaders(404, -1); it.close() }
            web.start()
            PokeClient("http://127.0.0.1:${web.address.port}", protocol = Protocol.GRPC_WEB).use { client ->
                val foreign = assertFailsWith<PokeException> { client.publish("D", "a") }
                assertEquals(PokeException.Kind.PROTOCOL to 404, foreign.kind to foreign.httpStatus)
            }
            web.stop(0)
        }
    }

    @Test
    fun `a message that says that it is larger than any is not waited for`() {
        val web = com.sun.net.httpserver.HttpServer.create(java.net.InetSocketAddress("127.0.0.1", 0), 0)
        web.createContext("/") {
            it.responseHeaders.add("content-type", "application/grpc-web+proto")
            it.sendResponseHeaders(200, 0)
            it.responseBody.write(byteArrayOf(0, 0x7f, -1, -1, -1))
            it.responseBody.flush()
        }
        web.start()
        inTime {
            PokeClient("http://127.0.0.1:${web.address.port}", protocol = Protocol.GRPC_WEB).use { client ->
                val error = assertFailsWith<PokeException> { client.publish("D", "a", deadline = 2.seconds) }
                val causes = generateSequence<Throwable>(error) { it.cause }.joinToString()
                assertTrue("a message of 2147483647 bytes" in causes, causes)
            }
        }
        web.stop(0)
    }

    @Test
    fun `a URL that can never work is refused at once`() {
        for (good in listOf("http://127.0.0.1:8080", "http://[::1]:8080", "https://poke", "http://poke:65535/")) {
            PokeClient(good).close()
        }
        for (bad in listOf(
            "", "127.0.0.1:8080", "localhost", "ftp://poke", "http://", "http://a b", "http://poke:99999", "http://poke:0",
            "http://poke:80x", "http://poke:80/some/path", "http://poke?query", "https://user:secret@poke",
        )) {
            val error = assertFailsWith<PokeException>(bad) { PokeClient(bad) }
            assertEquals(PokeException.Kind.CONFIG, error.kind, bad)
            assertTrue("secret" !in error.toString())
        }
    }
}
