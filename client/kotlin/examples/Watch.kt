import dev.poke.Interest
import dev.poke.PokeClient
import dev.poke.PokeEvent

/** Prints the pokes of an interest until it ends: watch [DOMAIN] [FILTER] */
suspend fun main(args: Array<String>) {
    val interest = Interest(args.getOrElse(0) { "PLAYLIST" }, args.getOrElse(1) { "playlist-id" })
    PokeClient(System.getenv("POKE_URL") ?: "http://127.0.0.1:8080").use { client ->
        client.pokes(interest).collect { event ->
            when (event) {
                is PokeEvent.Live -> println("live")
                is PokeEvent.Poke -> println("poke ${event.data}")
                is PokeEvent.Gap -> println("something was missed: reload")
                is PokeEvent.Ended -> println("ended ${event.data}")
                // One that is final is thrown when the flow is over.
                is PokeEvent.Rejected -> println("refused ${event.reason}: ${event.message}")
                is PokeEvent.Reconnecting -> println("not connected: ${event.cause.message}")
                else -> {}
            }
        }
    }
}
