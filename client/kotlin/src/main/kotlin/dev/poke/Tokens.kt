package dev.poke

import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/** Bearer tokens: none, one for ever, or from a provider that is asked again when one is no longer accepted. */
internal class Tokens(
    private val fixed: String?,
    private val provider: (suspend () -> String)?,
    private val clock: () -> Moment,
) {
    private var newest: Fetched? = null

    /** Held while a token is fetched, so that all calls share one fetch. */
    private val fetching = Mutex()

    /** Whether there can be another token than the one that was refused. */
    val canRefresh: Boolean get() = provider != null

    /** A token, and when it came from the provider. */
    private class Fetched(val token: String, val at: Moment)

    init {
        fixed?.let(::check)
    }

    /** Calls once, or a second time with a new token if the first one is no longer accepted. See [get] for [stale]. */
    suspend fun <T> authorized(stale: Moment?, call: suspend (token: String?) -> T): T {
        val used = get(stale)
        try {
            return call(used?.token)
        } catch (refused: PokeException) {
            if (refused.remedy != Remedy.REFRESH_TOKEN || !canRefresh) throw refused.onceOnly()
        }
        try {
            return call(get(used?.at)?.token)
        } catch (refused: PokeException) {
            throw refused.onceOnly()
        }
    }

    /** The token for a call. One that was fetched at or before [stale] is fetched anew. */
    private suspend fun get(stale: Moment?): Fetched? {
        val provider = provider ?: return fixed?.let { Fetched(it, clock()) }
        return fetching.withLock {
            newest?.takeIf { stale == null || it.at > stale } ?: Fetched(fetch(provider), clock()).also { newest = it }
        }
    }

    private suspend fun fetch(provider: suspend () -> String): String {
        val token = try {
            provider()
        } catch (problem: Exception) {
            // A provider that runs out of its own time is cancelled too, but nobody has cancelled this call.
            currentCoroutineContext().ensureActive()
            throw PokeException(PokeException.Kind.TOKEN, "its provider failed", problem, remedy = Remedy.RETRY)
        }
        return check(token)
    }

    private fun check(token: String): String {
        if (token.all { it in '!'..'~' || it == ' ' }) return token
        throw PokeException(PokeException.Kind.CONFIG, "a token must be printable ASCII")
    }
}
