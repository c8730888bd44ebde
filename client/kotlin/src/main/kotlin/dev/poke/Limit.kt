package dev.poke

/** Number of interests that a call may carry until a server has said its own. */
private const val ASSUMED_LIMIT = 100

private const val TOO_MANY_INTERESTS = "TOO_MANY_INTERESTS"

/**
 * Number of interests that one call may carry.
 *
 * @property isKnown a server has said it. Until then nobody is told of being over it
 */
internal data class InterestLimit(val count: Int = ASSUMED_LIMIT, val isKnown: Boolean = false)

/** A server has said how many interests a stream may have; zero says nothing. */
internal fun State.learnLimit(now: Moment, maxInterests: Int) {
    if (maxInterests <= 0) return
    interests.limit = InterestLimit(maxInterests, isKnown = true)
    noteChange(now)
}

/**
 * Lowers the limit if [error] says that [call] carried more interests than a stream may have. Returns true if the next call
 * carries fewer, so that it is worth opening at once.
 */
internal fun State.lowerLimit(call: Call, error: PokeException): Boolean {
    val limit = error.interestLimit?.takeIf { it in 1..<call.asked } ?: return false
    interests.limit = InterestLimit(limit, isKnown = true)
    tellFallen()
    return true
}

/** Tells each interest that has fallen over the limit, and takes it from the calls. */
internal fun State.tellFallen() {
    for (interest in interests.markOverLimit()) {
        calls.forEach { it.pending -= interest }
        tell(overLimit(interest))
    }
}

/** What the holders of an interest over the limit are told. */
internal fun State.overLimit(interest: Interest): PokeEvent.Rejected {
    val message = "over the limit of ${interests.limit.count} interests of a stream; it is asked for when there is room"
    return PokeEvent.Rejected(interest, Code.INVALID_ARGUMENT, TOO_MANY_INTERESTS, message, isFinal = false)
}

/** The limit that a TOO_MANY_INTERESTS error names, if it names one. */
private val PokeException.interestLimit: Int?
    get() = if (reason == TOO_MANY_INTERESTS) metadata["limit"]?.toIntOrNull() else null
