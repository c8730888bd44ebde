package dev.poke

import com.google.protobuf.InvalidProtocolBufferException
import dev.poke.v1.BadRequest
import dev.poke.v1.ErrorInfo
import dev.poke.v1.ErrorStatus
import dev.poke.v1.RetryInfo
import kotlin.time.Duration

/** A gRPC code, in the order of their numbers. */
public enum class Code {
    OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED,
    RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS,
    UNAUTHENTICATED,
    ;

    internal companion object {
        fun of(number: Int): Code = entries.getOrElse(number) { UNKNOWN }
    }
}

/**
 * Why a call or a subscription failed.
 *
 * @property kind what a caller can do about it
 * @property code the gRPC code, when there was an answer or the transport made one up
 * @property reason the exact cause in UPPER_SNAKE, from the table of errors in poke.proto. Only the server's own errors have one
 * @property httpStatus of an answer that wasn't gRPC: that of a proxy, or of something that isn't Multicast Poke
 * @property retryAfter when the server asks to come back, at the earliest
 * @property violations what is wrong with which field, at most 8
 * @property rejected the final rejections that a flow has ended with, because nobody marked them as handled
 */
public class PokeException internal constructor(
    public val kind: Kind,
    private val problem: String,
    cause: Throwable? = null,
    public val code: Code? = null,
    public val httpStatus: Int? = null,
    private val details: Details = Details(),
    internal val remedy: Remedy = Remedy.GIVE_UP,
    public val rejected: List<PokeEvent.Rejected> = emptyList(),
) : Exception("${kind.words}: $problem".removeSuffix(": "), cause) {
    /** What a caller can do about it. */
    public enum class Kind(internal val words: String) {
        /** The client is set up wrongly: its URL or its token. */
        CONFIG("the client is set up wrongly"),

        /** The input has no form on the wire: a number that a double can't hold, too deep, or no valid text. */
        DATA("no form on the wire"),

        /** The server refused for good: see [code] and [reason]. The same call would fail again. */
        REFUSED("the server refused"),

        /** The server can't be reached or asked for a later retry. The outcome of a publish is unknown: try the same key. */
        UNAVAILABLE("the server is not available just now"),

        /** There is no secure connection, until somebody sets up one of the two sides otherwise. Nothing was sent. */
        TLS("no secure connection"),

        /** The token provider failed. */
        TOKEN("no token"),

        /** The other side doesn't speak this protocol: no gRPC (see [httpStatus]), or an answer that can't be read. */
        PROTOCOL("the server doesn't speak this protocol"),

        /** The client is closed. */
        CLOSED("the client is closed"),
    }

    public val reason: String? get() = details.info?.reason?.takeIf { details.isFromServer }
    public val retryAfter: Duration? get() = details.retryAfter
    public val violations: List<Violation> get() = details.violations
    internal val metadata: Map<String, String> get() = details.info?.metadataMap.orEmpty()

    /** The same, where no other token can help. */
    internal fun onceOnly(): PokeException =
        if (remedy != Remedy.REFRESH_TOKEN) this
        else PokeException(kind, problem, cause, code, httpStatus, details, Remedy.GIVE_UP)

    /** What is wrong with one field, for example `subscriptions[3].interest.filter`. */
    public data class Violation(val field: String, val description: String)
}

/** What to do about a failed call. */
internal enum class Remedy {
    /** Try again, after the server's `retry_delay` and the backoff. */
    RETRY,

    /** Try again at once, but only once: after GOAWAY a connection's first new call can fail like this. */
    RETRY_AT_ONCE,

    /** Get another token and try again, once. */
    REFRESH_TOKEN,
    GIVE_UP,
}

/** The domain of ErrorInfo in the server's own errors. */
private const val ERROR_DOMAIN = "poke.v1"

/** The details of a status that the server itself has raised. */
internal class Details(
    val info: ErrorInfo? = null,
    val retryAfter: Duration? = null,
    val violations: List<PokeException.Violation> = emptyList(),
) {
    val isFromServer: Boolean get() = info?.domain == ERROR_DOMAIN

    companion object {
        /** Of a google.rpc.Status. What can't be read was not made by the server. */
        fun parse(status: ByteArray): Details {
            try {
                val byName = ErrorStatus.parseFrom(status).detailsList.associate { it.typeUrl.substringAfterLast('/') to it.value }
                val violations = byName["google.rpc.BadRequest"]?.let { BadRequest.parseFrom(it).fieldViolationsList }
                return Details(
                    byName["google.rpc.ErrorInfo"]?.let(ErrorInfo::parseFrom),
                    byName["google.rpc.RetryInfo"]?.let { RetryInfo.parseFrom(it).retryDelay.bounded() },
                    violations.orEmpty().map { PokeException.Violation(it.field, it.description) },
                )
            } catch (_: InvalidProtocolBufferException) {
                return Details()
            }
        }
    }
}

/** A call has ended with [code]: the one rule of poke.proto. [cause] is what happened to the transport, if anything did. */
internal fun failure(code: Code, message: String, details: Details = Details(), cause: Throwable? = null): PokeException {
    val remedy = when {
        details.retryAfter != null || code == Code.UNAVAILABLE || code == Code.DEADLINE_EXCEEDED -> Remedy.RETRY
        code == Code.UNAUTHENTICATED -> Remedy.REFRESH_TOKEN
        details.isFromServer -> Remedy.GIVE_UP
        code == Code.CANCELLED || code == Code.INTERNAL || code == Code.UNKNOWN -> Remedy.RETRY_AT_ONCE
        cause != null -> Remedy.RETRY
        else -> Remedy.GIVE_UP
    }
    return PokeException(remedy.kind(PokeException.Kind.REFUSED), message, cause, code, null, details, remedy)
}

/** The error of a flow whose interests are all over, of which the server has refused these for good. It is that of the first. */
internal fun refused(rejected: List<PokeEvent.Rejected>): PokeException {
    val first = rejected.first()
    val info = first.reason.takeIf { it.isNotEmpty() }?.let { ErrorInfo.newBuilder().setDomain(ERROR_DOMAIN).setReason(it).build() }
    val reason = if (info == null) "" else " (${info.reason})"
    val others = if (rejected.size > 1) ", and ${rejected.size - 1} more of its interests" else ""
    val problem = "${first.interest.printable()}: ${first.message}$reason$others"
    return PokeException(PokeException.Kind.REFUSED, problem, null, first.code, null, Details(info), rejected = rejected)
}

/** An answer that isn't gRPC: a proxy speaks for the server, or something else listens there. */
internal fun httpFailure(status: Int, cause: Throwable): PokeException {
    val remedy = when (status) {
        401 -> Remedy.REFRESH_TOKEN
        408, 429, in 500..599 -> Remedy.RETRY
        else -> Remedy.GIVE_UP
    }
    val isRefusal = status == 401 || status == 403 || status == 413 || status == 431
    val code = when (status) {
        400 -> Code.INTERNAL
        401 -> Code.UNAUTHENTICATED
        403 -> Code.PERMISSION_DENIED
        404 -> Code.UNIMPLEMENTED
        429, 502, 503, 504 -> Code.UNAVAILABLE
        else -> Code.UNKNOWN
    }
    val kind = remedy.kind(if (isRefusal) PokeException.Kind.REFUSED else PokeException.Kind.PROTOCOL)
    val hint = if (status == 431) ", the request's headers are too large: so the token is" else ""
    return PokeException(kind, "HTTP $status without gRPC$hint", cause, code, status, remedy = remedy)
}

private fun Remedy.kind(final: PokeException.Kind) = when (this) {
    Remedy.RETRY, Remedy.RETRY_AT_ONCE -> PokeException.Kind.UNAVAILABLE
    Remedy.REFRESH_TOKEN, Remedy.GIVE_UP -> final
}
