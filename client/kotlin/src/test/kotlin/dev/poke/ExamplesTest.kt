package dev.poke

import java.io.File
import java.nio.file.Files
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.concurrent.thread
import kotlin.test.Test
import kotlin.test.assertEquals

/** The examples, each as a program of its own, against the real server. */
internal class ExamplesTest {
    private val folder: File = Files.createTempDirectory("poke-examples").toFile()

    private inner class Program(server: TestServer, name: String, vararg args: String) : AutoCloseable {
        private val lines = CopyOnWriteArrayList<String>()
        private val process: Process

        init {
            val java = File(System.getProperty("java.home"), "bin/java").path
            val command = listOf(java, "-cp", System.getProperty("java.class.path"), "${name}Kt") + args
            process = ProcessBuilder(command).directory(folder).redirectErrorStream(true)
                .apply { environment()["POKE_URL"] = server.url }.start()
            thread(isDaemon = true) { process.inputStream.bufferedReader().forEachLine(lines::add) }
        }

        fun says(line: String) = eventually("'$line' among $lines") { lines.find { it.startsWith(line) } }

        fun ends() = eventually("the end after $lines") { process.takeUnless { it.isAlive }?.exitValue() }

        override fun close() {
            process.destroyForcibly().waitFor()
        }
    }

    @Test
    fun `watch, publish, end`() = TestServer().use { server ->
        Program(server, "Watch", "PLAYLIST", "42").use { watch ->
            watch.says("live")
            Program(server, "Publish", "PLAYLIST", "42", "Updated").use { publish ->
                publish.says("published ")
                assertEquals(0, publish.ends())
            }
            watch.says("poke \"Updated\"")
            Program(server, "Publish", "PLAYLIST", "42").use { assertEquals(0, it.ends()) }
            watch.says("poke null")
            Program(server, "End", "PLAYLIST", "42", "bye").use { it.says("ended ") }
            watch.says("ended \"bye\"")
            assertEquals(0, watch.ends())
        }
    }

    @Test
    fun `a wrong domain is never a silent end`() = TestServer("domains.OTHER.subscribers" to "\"open\"").use { server ->
        for (example in listOf("Watch", "Reconnect")) Program(server, example).use { program ->
            program.says("refused UNKNOWN_DOMAIN: ")
            program.says("Exception in thread \"main\" dev.poke.PokeException: the server refused: PLAYLIST/playlist-id: ")
            assertEquals(1, program.ends())
        }
    }

    @Test
    fun `reconnect goes on where the last run was killed`() = TestServer().use { server ->
        Program(server, "Reconnect").use { reconnect ->
            reconnect.says("live FRESH")
            Program(server, "Publish", "PLAYLIST", "playlist-id", "1").use { assertEquals(0, it.ends()) }
            reconnect.says("poke \"1\"")
            eventually("the position") { File(folder, "positions.json").takeIf { "\"sequence\":\"1\"" in it.readText() } }
        }
        Program(server, "Publish", "PLAYLIST", "playlist-id", "2").use { assertEquals(0, it.ends()) }
        Program(server, "Reconnect").use { again ->
            again.says("live RECOVERED")
            again.says("poke \"2\"")
        }
        Unit
    }
}
