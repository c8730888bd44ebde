package dev.poke

import java.io.File
import java.io.InputStream
import java.net.ServerSocket
import java.net.Socket
import java.net.URI
import java.nio.file.Files
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** How long a condition may take. Nothing in a healthy run comes near it. */
internal val PATIENCE = 30.seconds

/** Asks again and again until the answer isn't null. */
internal fun <T : Any> eventually(what: String, ask: () -> T?): T {
    val begun = TimeSource.Monotonic.markNow()
    while (true) {
        ask()?.let { return it }
        check(begun.elapsedNow() < PATIENCE) { "waited in vain for $what" }
        // The pause between two questions to another process; the condition ends the wait.
        Thread.sleep(20)
    }
}

/**
 * A running `poke-server`, of $POKE_BIN_DIR. [settings] are values in TOML by dotted key; every domain is open unless they name
 * domains.
 */
internal class TestServer(vararg settings: Pair<String, String>, address: String = "127.0.0.1:0") : AutoCloseable {
    private val folder = Files.createTempDirectory("poke-kotlin").toFile()
    private val log = CopyOnWriteArrayList<String>()
    private val process: Process

    /** Where it listens. */
    val address: String
    private val admin: String

    init {
        val binary = File(System.getenv("POKE_BIN_DIR") ?: "../../target/debug", "poke-server")
        check(binary.canExecute()) { "there is no $binary: build it by cargo build -p poke-server, or set POKE_BIN_DIR" }
        val open = mapOf("domains.\"*\".publishers" to "\"anyone\"", "domains.\"*\".subscribers" to "\"open\"")
        val all = (if (settings.any { it.first.startsWith("domains.") }) emptyMap() else open) + settings
        val config = File(folder, "poke.toml").apply { writeText(all.map { (key, value) -> "$key = $value\n" }.joinToString("")) }
        process = ProcessBuilder(
            binary.path, "--config", config.path, "--listen.addresses", address, "--admin.listen", "127.0.0.1:0",
        ).redirectErrorStream(true).start()
        val follower = thread(isDaemon = true) { process.inputStream.bufferedReader().forEachLine(log::add) }
        val announced = { words: String ->
            if (!process.isAlive) follower.join()
            check(process.isAlive) { "the server didn't start: $log" }
            log.firstNotNullOfOrNull { Regex("$words([0-9.:]+)").find(it)?.groupValues?.get(1) }
        }
        this.address = eventually("the server to listen") { announced("listening on https?://") }
        this.admin = eventually("the admin port") { announced("admin on http://") }
    }

    val url: String get() = "http://$address"

    /** The sum of a metric's series. */
    fun metric(name: String): Double {
        val text = URI("http://$admin/metrics").toURL().readText()
        val series = text.lines().filter { it.startsWith("$name ") || it.startsWith("$name{") }
        return series.sumOf { it.substringAfterLast(' ').toDouble() }
    }

    fun metricBecomes(name: String, value: Double) {
        eventually("$name to be $value") { value.takeIf { metric(name) == it } }
    }

    /** Asks it to go away, as an orchestrator does. */
    fun sigterm() = process.destroy()

    /** Ends it as a crash does. */
    fun kill9() {
        process.destroyForcibly().waitFor()
    }

    override fun close() {
        process.destroyForcibly().waitFor(10, TimeUnit.SECONDS)
        folder.deleteRecursively()
        val faults = log.filter { "panicked at" in it || "ERROR" in it || "\"level\":\"error\"" in it }
        check(faults.isEmpty()) { "the server's log holds faults: $faults" }
    }
}

/** A network between client and server: its connections can be cut, or swallow everything. */
internal class Proxy(private val server: String) : AutoCloseable {
    private val listener = ServerSocket(0)
    private val sockets = CopyOnWriteArrayList<Socket>()

    @Volatile
    var isMute = false
    val url = "http://127.0.0.1:${listener.localPort}"

    init {
        thread(isDaemon = true) {
            while (!listener.isClosed) {
                val near = runCatching { listener.accept() }.getOrNull() ?: break
                val far = runCatching { Socket(server.substringBefore(':'), server.substringAfter(':').toInt()) }.getOrNull()
                if (far == null) near.close() else join(near, far)
            }
        }
    }

    private fun join(near: Socket, far: Socket) {
        sockets += listOf(near, far)
        // What was mute stays so: nobody hears of it when the network is back.
        var isLost = false
        fun forward(from: Socket, to: Socket) = thread(isDaemon = true) {
            runCatching {
                from.getInputStream().forEachChunk { bytes, count ->
                    isLost = isLost || isMute
                    if (!isLost) to.getOutputStream().apply { write(bytes, 0, count); flush() }
                }
            }
            listOf(from, to).forEach { runCatching { it.close() } }
        }
        forward(near, far)
        forward(far, near)
    }

    private fun InputStream.forEachChunk(take: (ByteArray, Int) -> Unit) {
        val bytes = ByteArray(16 * 1024)
        while (true) {
            val count = read(bytes)
            if (count < 0) return
            take(bytes, count)
        }
    }

    /** Resets all connections of now. */
    fun cut() = sockets.forEach {
        runCatching {
            it.setSoLinger(true, 0)
            it.close()
        }
        sockets -= it
    }

    override fun close() {
        listener.close()
        cut()
    }
}
