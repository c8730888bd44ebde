import dev.poke.Interest
import dev.poke.PokeClient
import dev.poke.PokeEvent
import dev.poke.SavedPosition
import kotlinx.serialization.json.Json
import java.io.File
import java.nio.file.Files
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardCopyOption.REPLACE_EXISTING

/** Goes on where an earlier run has stopped, whatever happened meanwhile: reconnect [DOMAIN] [FILTER] */
suspend fun main(args: Array<String>) {
    val interest = Interest(args.getOrElse(0) { "PLAYLIST" }, args.getOrElse(1) { "playlist-id" })
    val file = File("positions.json")
    val newFile = File("positions.json.new")
    val positions = if (file.exists()) Json.decodeFromString<List<SavedPosition>>(file.readText()) else emptyList()
    PokeClient(System.getenv("POKE_URL") ?: "http://127.0.0.1:8080").use { client ->
        client.pokes(listOf(interest), positions = positions).collect { event ->
            when (event) {
                is PokeEvent.Live -> println("live ${event.outcome}")
                is PokeEvent.Poke -> println("poke ${event.data}")
                is PokeEvent.Gap -> println("missed ${event.reason}, reload in ${event.reloadAfter}")
                is PokeEvent.Rejected -> println("refused ${event.reason}: ${event.message}")
                is PokeEvent.Reconnecting -> println("reconnecting in ${event.delay}: ${event.cause.message}")
                else -> {}
            }
            // What was handled isn't asked for again. Whoever stops this while it writes leaves the file as it was.
            newFile.writeText(Json.encodeToString(client.positions()))
            Files.move(newFile.toPath(), file.toPath(), REPLACE_EXISTING, ATOMIC_MOVE)
        }
    }
}
