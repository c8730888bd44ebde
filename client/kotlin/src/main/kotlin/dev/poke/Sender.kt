package dev.poke

import dev.poke.v1.EndInterestRequest
import dev.poke.v1.PublishRequest
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.json.JsonElement
import java.security.SecureRandom
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.seconds

/** The shortest time that one attempt gets, unless less is left. */
private val SHORTEST_ATTEMPT = 1.seconds

/**
 * The server's answer to a publish.
 *
 * @property localReceiverCount how many streams held the interest on the answering node: for people, never for decisions
 * @property duplicate the key had been used before: the position is the first one's, and nothing was sent again
 */
public data class Published(val position: Position, val localReceiverCount: Int?, val duplicate: Boolean)

/** A poke, or the end of an interest, to send. */
internal class Letter(
    private val domain: String,
    private val filter: String,
    private val data: JsonElement?,
    private val customerId: String?,
    private val idempotencyKey: String?,
    val deadline: Duration,
) {
    fun toPublish(): PublishRequest {
        val request = PublishRequest.newBuilder().setDomain(unicode(domain, "domain")).setFilter(unicode(filter, "filter"))
        data?.let { request.data = toValue(it) }
        customerId?.let { request.setAudience(Audience.CUSTOMER.toWire()).customerId = unicode(it, "customerId") }
        // An empty key is none, and without one a second attempt could be a second poke.
        val key = idempotencyKey?.takeIf { it.isNotEmpty() } ?: newKey()
        return request.setIdempotencyKey(unicode(key, "idempotencyKey")).build()
    }

    /** The two requests have the same fields (poke.proto). */
    fun toEnd(): EndInterestRequest = EndInterestRequest.parseFrom(toPublish().toByteString())
}

/** 128 random bits: a retry is recognised, and no two senders make the same. */
private fun newKey(): String {
    val bits = ByteArray(16).also(SecureRandom()::nextBytes)
    return bits.joinToString("") { "%02x".format(it) }
}

/** Sends letters: calls until there is an answer, a final refusal, or no time left. [checkOpen] throws once that is over. */
internal class Sender(
    private val transport: Transport,
    private val tokens: Tokens,
    private val clock: () -> Moment,
    private val dice: Dice,
    private val checkOpen: () -> Unit,
) {
    suspend fun publish(letter: Letter): Published {
        val request = letter.toPublish()
        val answer = send(letter.deadline) { link, token -> link.publish(request, token) }
        val count = if (answer.hasLocalReceiverCount()) answer.localReceiverCount else null
        return Published(required { position(answer.hasPosition(), answer.position) }, count, answer.duplicate)
    }

    suspend fun endInterest(letter: Letter): Position {
        val request = letter.toEnd()
        val answer = send(letter.deadline) { link, token -> link.endInterest(request, token) }
        return required { position(answer.hasPosition(), answer.position) }
    }

    private fun required(position: () -> Position): Position = try {
        position()
    } catch (unreadable: Unreadable) {
        throw PokeException(PokeException.Kind.PROTOCOL, "the answer has no position", unreadable)
    }

    private suspend fun <T : Any> send(deadline: Duration, call: suspend (Link, token: String?) -> T): T {
        val endsAt = clock() + deadline.coerceIn(Duration.ZERO, 1.days)
        val backoff = Backoff()
        var retriedAtOnce = false
        var earlier: PokeException? = null
        while (true) {
            checkOpen()
            val link = transport.current()
            val failed = try {
                // Half of what is left: a connection that swallows the first attempt leaves time for another.
                val left = endsAt - clock()
                val answer = withTimeoutOrNull((left / 2).coerceAtLeast(SHORTEST_ATTEMPT).coerceAtMost(left)) {
                    tokens.authorized(null) { token -> call(link, token) }
                }
                if (answer != null) return answer
                failure(Code.DEADLINE_EXCEEDED, "no answer in time", cause = earlier)
            } catch (failed: PokeException) {
                failed
            }
            val isAtOnce = failed.remedy == Remedy.RETRY_AT_ONCE && !retriedAtOnce
            val isFinal = failed.remedy == Remedy.GIVE_UP || failed.kind == PokeException.Kind.TLS
            val wait = if (isAtOnce) Duration.ZERO else (failed.retryAfter ?: Duration.ZERO) + backoff.next(dice)
            if (isFinal || clock() + wait >= endsAt) throw failed
            earlier = failed
            retriedAtOnce = retriedAtOnce || isAtOnce
            if (failed.reason == null) transport.retire(link)
            delay(wait)
        }
    }
}
