package dev.poke

import com.google.protobuf.ListValue
import com.google.protobuf.NullValue
import com.google.protobuf.Struct
import com.google.protobuf.Value
import dev.poke.v1.PublishRequest
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.booleanOrNull
import java.math.BigDecimal
import kotlin.math.abs
import kotlin.math.floor

/** How typed data is read and written unless a call says otherwise: keys that a type doesn't know are passed over. */
public val PokeJson: Json = Json { ignoreUnknownKeys = true }

/** How many arrays and objects may be nested: `"x"` is 0, `[]` is 1. */
private const val MAX_DEPTH = 24

/** Integers up to this size are doubles that stand for nothing else. */
private const val LARGEST_EXACT = 9_007_199_254_740_991.0

/**
 * How many bytes [data] adds to a poke, whose domain, filter and data may take 131,072 together. A number in a list costs 11.
 *
 * @throws PokeException [PokeException.Kind.DATA] when it has no form on the wire
 */
public fun encodedSize(data: JsonElement?): Int =
    if (data == null) 0 else PublishRequest.newBuilder().setData(toValue(data)).build().serializedSize

/** The form on the wire; what has none is refused, never changed. [path] says where. */
internal fun toValue(data: JsonElement, path: String = "data", depth: Int = 0): Value {
    val value = Value.newBuilder()
    fun deeper(): Int =
        if (depth < MAX_DEPTH) depth + 1 else refuse(path, "more than $MAX_DEPTH nested arrays and objects")
    when (data) {
        is JsonNull -> value.setNullValue(NullValue.NULL_VALUE)
        is JsonPrimitive -> when {
            data.isString -> value.setStringValue(unicode(data.content, path))
            data.booleanOrNull != null -> value.setBoolValue(data.boolean)
            else -> value.setNumberValue(number(data.content, path))
        }
        is JsonArray -> {
            val inner = deeper()
            val items = data.mapIndexed { index, item -> toValue(item, "$path[$index]", inner) }
            value.setListValue(ListValue.newBuilder().addAllValues(items))
        }
        is JsonObject -> {
            val inner = deeper()
            val struct = Struct.newBuilder()
            data.forEach { (key, item) -> struct.putFields(unicode(key, path), toValue(item, "$path.$key", inner)) }
            value.setStructValue(struct)
        }
    }
    return value.build()
}

/** A whole number of at most 2^53 - 1 in size comes as an integer, so that it prints without `.0` and reads as a Long. */
internal fun toJson(value: Value): JsonElement = when (value.kindCase) {
    Value.KindCase.NULL_VALUE -> JsonNull
    Value.KindCase.BOOL_VALUE -> JsonPrimitive(value.boolValue)
    Value.KindCase.STRING_VALUE -> JsonPrimitive(value.stringValue)
    Value.KindCase.NUMBER_VALUE -> {
        val number = value.numberValue
        val isWhole = floor(number) == number && abs(number) <= LARGEST_EXACT && !(number == 0.0 && 1 / number < 0)
        if (!number.isFinite()) throw Unreadable("a number that isn't finite")
        if (isWhole) JsonPrimitive(number.toLong()) else JsonPrimitive(number)
    }
    Value.KindCase.LIST_VALUE -> JsonArray(value.listValue.valuesList.map(::toJson))
    Value.KindCase.STRUCT_VALUE -> JsonObject(value.structValue.fieldsMap.mapValues { toJson(it.value) })
    Value.KindCase.KIND_NOT_SET, null -> throw Unreadable("a value without a kind")
}

/** Java reads more as a double, such as `7f`, which a lenient parser hands on. */
private val JSON_NUMBER = Regex("""-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?""")

private fun number(literal: String, path: String): Double {
    val number = literal.toDoubleOrNull()?.takeIf { it.isFinite() } ?: refuse(path, "a number that isn't a finite double")
    if (!JSON_NUMBER.matches(literal)) refuse(path, "not a number as JSON has them")
    val isInteger = literal.none { it in ".eE" }
    if (isInteger && BigDecimal(number).compareTo(BigDecimal(literal)) != 0) {
        refuse(path, "an integer that a double can't hold exactly: send it as a string")
    }
    return number
}

/** Protobuf would write a question mark in place of half a surrogate pair. */
internal fun unicode(text: String, path: String): String {
    var at = 0
    while (at < text.length) {
        val isPair = text[at].isHighSurrogate() && at + 1 < text.length && text[at + 1].isLowSurrogate()
        if (text[at].isSurrogate() && !isPair) refuse(path, "half a surrogate pair")
        at += if (isPair) 2 else 1
    }
    return text
}

private fun refuse(path: String, problem: String): Nothing =
    throw PokeException(PokeException.Kind.DATA, "$path: $problem")
