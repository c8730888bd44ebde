package dev.poke

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.decodeFromJsonElement
import kotlin.time.Duration
import kotlin.time.Instant

/** What a [PokeClient] tells. More kinds can come: give `when` an `else`. */
public sealed interface PokeEvent {
    /** The interest that it is about; null for the connection. */
    public val interest: Interest? get() = null

    /**
     * The signal.
     *
     * @property data what the publisher said: null is undefined, [kotlinx.serialization.json.JsonNull] is JSON's null. Whole
     *   numbers of at most 2^53 - 1 in size are integers.
     * @property publishTime when the server accepted it, by the server's clock. For people; order comes from [position]
     */
    public data class Poke(
        override val interest: Interest,
        val data: JsonElement?,
        val position: Position,
        val publishTime: Instant,
    ) : PokeEvent {
        /** The data as a serializable type; null when there is none. Throws `SerializationException` when it is another. */
        public inline fun <reified T> decode(json: Json = PokeJson): T? = data?.let { json.decodeFromJsonElement<T>(it) }
    }

    /**
     * Everything up to and including [position] that has not been told is lost: wait [reloadAfter], then reload.
     *
     * @property missedCount how many pokes were missed; with [GapReason.LAGGED] only
     * @property reloadAfter drawn at random, so that a million clients don't call the app's back end in one instant
     */
    public data class Gap(
        override val interest: Interest,
        val reason: GapReason,
        val position: Position,
        val missedCount: Long?,
        val reloadAfter: Duration,
    ) : PokeEvent

    /** There is no more of the interest. The client doesn't ask for it again. */
    public data class Ended(override val interest: Interest, val position: Position, val data: JsonElement?) : PokeEvent

    /**
     * The server refuses the interest, or no longer serves it. The others go on.
     *
     * A flow whose interests are all over throws the first final rejection that was not [marked as handled][markHandled].
     *
     * @property reason the exact cause in UPPER_SNAKE, from the table of errors in poke.proto. `TOO_MANY_INTERESTS` is told by
     *   the client itself: the stream is full, and the interest is asked for when there is room
     * @property isFinal true: the client gives the interest up. False: it asks again by itself
     */
    public data class Rejected(
        override val interest: Interest,
        val code: Code,
        val reason: String,
        val message: String,
        val isFinal: Boolean,
    ) : PokeEvent {
        @Volatile
        internal var isHandled = false
            private set

        /**
         * Says that the program deals with this final rejection itself, so that the flow doesn't throw it at its end.
         *
         * Call it before the flow goes on: in the collector or in `onEach`, before any `buffer`, `flowOn` or `shareIn`. Behind
         * these it comes too late when the interest was the flow's last.
         */
        public fun markHandled() {
            isHandled = true
        }
    }

    /** The interest is live, after it was added or after the connection was lost. Everything after [position] follows. */
    public data class Live(override val interest: Interest, val position: Position, val outcome: Outcome) : PokeEvent

    /** A stream is open, also after a planned move to another. [heartbeatInterval]: how long it is silent at most. */
    public data class Connected(val streamId: String, val limits: Limits, val heartbeatInterval: Duration) : PokeEvent

    /** The connection is lost. The client tries again by itself in [delay], and nothing has to be done. */
    public data class Reconnecting(val cause: PokeException, val delay: Duration) : PokeEvent
}

/** Why something was lost. */
public enum class GapReason {
    /** A reason that this client doesn't know. */
    UNSPECIFIED,

    /** The position is not of the history that the server holds, for example after a restart. */
    EPOCH_CHANGED,

    /** The position is older than what the server retains. */
    EVICTED,

    /** This client read too slowly. */
    LAGGED,

    /** The servers lost touch with each other for a while. */
    BACKPLANE,

    /** This client could not read a message of the server, and started afresh after it. */
    UNDECODABLE,
}

/** How an interest starts. */
public enum class Outcome {
    /** At the head of the log, or just before the newest retained poke if that was asked for. */
    FRESH,

    /** After the position that was asked for: nothing is missing. */
    RECOVERED,

    /** It can't go on from there: a [PokeEvent.Gap] follows. */
    GAP,
}

/**
 * What a server accepts.
 *
 * @property maxInterests on one stream
 * @property maxPokeBytes of domain, filter and data together
 * @property maxDataDepth arrays and objects nested in data
 * @property retentionWindow for how long pokes, idempotency keys and ends are kept
 */
public data class Limits(
    val maxInterests: Int,
    val maxPokeBytes: Int,
    val maxDataDepth: Int,
    val retentionWindow: Duration,
)
