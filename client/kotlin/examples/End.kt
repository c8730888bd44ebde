import dev.poke.PokeClient
import kotlinx.serialization.json.JsonPrimitive

/** Tells everyone who listens that there is no more: end [DOMAIN] [FILTER] [TEXT] */
suspend fun main(args: Array<String>) {
    val (domain, filter) = listOf(args.getOrElse(0) { "PLAYLIST" }, args.getOrElse(1) { "playlist-id" })
    PokeClient(System.getenv("POKE_URL") ?: "http://127.0.0.1:8080").use { client ->
        println("ended ${client.endInterest(domain, filter, args.getOrNull(2)?.let(::JsonPrimitive))}")
    }
}
