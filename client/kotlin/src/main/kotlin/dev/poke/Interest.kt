package dev.poke

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.builtins.LongAsStringSerializer

/** To whom the pokes of an interest go. It is part of the interest's identity. */
@Serializable
public enum class Audience {
    /** Everyone who holds the interest. */
    @SerialName("everyone")
    EVERYONE,

    /** The one customer whom the subscriber's token names. */
    @SerialName("customer")
    CUSTOMER,
}

/**
 * What a client listens to.
 *
 * The server checks the parts: a domain is 1 to 64 of `[A-Za-z0-9_.-]`, a filter 1 to 256 bytes of UTF-8 without control
 * characters. They are compared byte for byte.
 *
 * @property domain the kind of data, for example `PLAYLIST`
 * @property filter which one of its kind, for example a playlist's id
 */
@Serializable
public data class Interest(val domain: String, val filter: String, val audience: Audience = Audience.EVERYONE) {
    /** `DOMAIN/FILTER`, for people. */
    override fun toString(): String = "$domain/$filter"

    /** As [toString], on one line and short, whatever a program has asked for. */
    internal fun printable(): String {
        val text = toString().map { if (it.isISOControl() || it in LINE_BREAKS) "\\u%04x".format(it.code) else "$it" }
        return if (text.size <= LONGEST_PRINTED) text.joinToString("") else text.take(LONGEST_PRINTED).joinToString("") + "..."
    }
}

/** Line breaks that are no control characters. */
private const val LINE_BREAKS = "\u2028\u2029"

/** The longest valid interest in ASCII: 64 characters, a slash and 256. */
private const val LONGEST_PRINTED = 321

/**
 * A place in a log that many interests share. As JSON it is `{"epoch":"...","sequence":"7"}`, as in all languages.
 *
 * Never compute loss from the distance of two sequences.
 *
 * @property epoch names one unbroken history. Opaque
 * @property sequence strictly rises within an epoch, over all of its interests
 */
@Serializable
public data class Position(
    val epoch: String,
    @Serializable(LongAsStringSerializer::class) val sequence: Long,
) {
    /** False for positions of two epochs, of which neither is before the other. */
    public fun isAtOrBefore(other: Position): Boolean = epoch == other.epoch && sequence <= other.sequence

    /** `EPOCH:SEQUENCE`, for people. */
    override fun toString(): String = "$epoch:$sequence"
}

/** How far an interest has been read. As JSON it goes on in any process and in any language. */
@Serializable
public data class SavedPosition(
    val domain: String,
    val filter: String,
    val audience: Audience = Audience.EVERYONE,
    val position: Position,
) {
    /** What was read. */
    val interest: Interest get() = Interest(domain, filter, audience)
}

/** Where the next call starts with an interest. */
internal sealed interface Start {
    data object New : Start

    data object Latest : Start

    data class After(val position: Position) : Start
}
