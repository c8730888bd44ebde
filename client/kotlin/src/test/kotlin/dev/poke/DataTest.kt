package dev.poke

import com.google.protobuf.value
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.Serializable
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.JsonUnquotedLiteral
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Instant

/** What data may be, and what it comes back as. */
internal class DataTest {
    private fun parsed(text: String): JsonElement = Json.parseToJsonElement(text)

    private fun refused(data: JsonElement): String {
        val error = assertFailsWith<PokeException> { toValue(data) }
        assertEquals(PokeException.Kind.DATA, error.kind)
        return error.message.orEmpty()
    }

    @Test
    fun `JSON comes back as it was, and whole numbers without a fraction`() {
        for (text in listOf(
            "null", "true", "false", "\"\"", "\"Updated\"", "\"true\"", "\"7\"", "\"🎵\"", "0", "-1", "0.1", "9007199254740991",
            "-9007199254740991", "[]", "{}", """[null,[],{"":{}}]""", """{"a":1,"b":[true,"x"]}""",
        )) {
            assertEquals(parsed(text), toJson(toValue(parsed(text))), text)
        }
        assertEquals("7", toJson(toValue(parsed("7.0"))).toString())
        assertEquals("-0.0", toJson(toValue(parsed("-0.0"))).toString())
        assertEquals("1.0E300", toJson(toValue(parsed("1e300"))).toString())
    }

    @Serializable
    data class Track(val id: Long, val at: Int, val gain: Double, val title: String? = null)

    @Test
    fun `a whole double reads as a Long, an Int and a Double`() {
        val data = toJson(toValue(parsed("""{"id":9007199254740991,"at":3.0,"gain":2,"more":[]}""")))
        assertEquals(Track(9_007_199_254_740_991, 3, 2.0), event(data).decode<Track>())
        assertEquals("text", event(JsonPrimitive("text")).decode<String>())
        assertNull(event(null).decode<Track>())
        assertNull(event(JsonNull).decode<Track?>())
        assertFailsWith<SerializationException> { event(JsonPrimitive("text")).decode<Track>() }
    }

    private fun event(data: JsonElement?) =
        PokeEvent.Poke(filter("a"), data, Position("e", 1), Instant.DISTANT_PAST)

    @Test
    fun `an integer is exact or refused, with its place`() {
        for (exact in listOf("9007199254740992", "-9007199254740992", "18446744073709551616", "10000000000000000000000")) {
            assertEquals(exact.toDouble(), toValue(parsed(exact)).numberValue)
        }
        for (inexact in listOf("9007199254740993", "-9007199254740993", "18446744073709551615", "1" + "0".repeat(100))) {
            assertTrue("as a string" in refused(parsed(inexact)), inexact)
        }
        assertTrue("data.ids[1]" in refused(parsed("""{"ids":[1,9007199254740993]}""")))
        // Whoever writes a fraction or an exponent speaks of a double.
        assertEquals(9_007_199_254_740_992.0, toValue(parsed("9007199254740993.0")).numberValue)
    }

    @OptIn(ExperimentalSerializationApi::class)
    @Test
    fun `numbers are finite and text is Unicode`() {
        for (number in listOf(JsonPrimitive(Double.NaN), JsonPrimitive(Double.POSITIVE_INFINITY), parsed("1e400"))) {
            assertTrue("finite" in refused(JsonArray(listOf(number))))
        }
        assertTrue("finite" in refused(JsonUnquotedLiteral("nonsense")))
        assertTrue("surrogate" in refused(parsed("""{"a":{"b":"\ud800"}}""")))
        assertTrue("data.a.b" in refused(parsed("""{"a":{"b":"\ud800x"}}""")))
        assertTrue("surrogate" in refused(parsed("""{"\udc00":1}""")))
        assertEquals("🎵", toValue(JsonPrimitive("🎵")).stringValue)
    }

    @Test
    fun `what only a lenient parser takes for a number is refused, and its TRUE is true`() {
        val lenient = Json { isLenient = true }
        for (text in listOf("7f", "0x1p3", "1.5d")) {
            assertTrue("as JSON has them" in refused(lenient.parseToJsonElement(text)), text)
        }
        assertEquals(JsonPrimitive(true), toJson(toValue(lenient.parseToJsonElement("TRUE"))))
        assertEquals(0.0, toValue(parsed("1e-99999999999")).numberValue)
    }

    @Test
    fun `depth 24 passes and 25 is refused`() {
        fun lists(depth: Int) = (1..depth).fold<Int, JsonElement>(JsonPrimitive("x")) { inner, _ -> JsonArray(listOf(inner)) }
        assertEquals(lists(24), toJson(toValue(lists(24))))
        for (depth in listOf(25, 100, 5000)) assertTrue("24 nested" in refused(lists(depth)))
        val objects = """{"a":""".repeat(25) + "0" + "}".repeat(25)
        assertTrue("24 nested" in refused(parsed(objects)))
    }

    @Test
    fun `sizes are those that the server counts`() {
        assertEquals(0, encodedSize(null))
        // Three of "x", two of the field.
        assertEquals(5, encodedSize(JsonPrimitive("x")))
        assertEquals(4, encodedSize(JsonNull))
        fun numbers(count: Int) = encodedSize(JsonArray(List(count) { JsonPrimitive(0.5) }))
        assertEquals(11, numbers(3) - numbers(2))
    }

    @Test
    fun `a value without a kind, or that isn't finite, is not data`() {
        for (bad in listOf(value {}, value { numberValue = Double.NaN })) assertFailsWith<Unreadable> { toJson(bad) }
    }
}
