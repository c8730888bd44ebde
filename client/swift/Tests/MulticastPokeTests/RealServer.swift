import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

@testable import MulticastPoke

/// A server process of a test's own, in development mode. Its binary is named by POKE_SERVER; without that these tests are skipped.
final class RealServer: @unchecked Sendable {
    static let binary = ProcessInfo.processInfo.environment["POKE_SERVER"]

    let url: String
    private let admin: String
    private let process: Process

    /// Heartbeats are as quick as they can be, so that tests are.
    init(address: String = "127.0.0.1:0", heartbeat: String = "1s", _ arguments: [String] = []) async throws {
        let output = FileManager.default.temporaryDirectory.appending(path: "poke-server-\(UUID())")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        let process = Process()
        self.process = process
        process.executableURL = URL(fileURLWithPath: Self.binary ?? "")
        process.arguments =
            [
                "--dev", "--listen.addresses", address, "--listen.wait", "10s", "--admin.listen", "127.0.0.1:0",
                "--stream.heartbeat-interval", heartbeat, "--stream.reconnect-spread", "1s", "--drain.window", "2s",
            ] + arguments
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try Self.withSignals { try process.run() }
        func line(_ start: String) async throws -> String {
            while true {
                let text = try String(contentsOf: output, encoding: .utf8)
                if let found = text.split(separator: "\n").first(where: { $0.hasPrefix(start) }) {
                    return String(found.dropFirst(start.count))
                }
                guard process.isRunning else { throw PokeError(.config, "the server has exited: \(text)") }
                try await Task.sleep(for: .milliseconds(10))
            }
        }
        url = try await line("listening on ")
        admin = try await line("admin on ")
        try FileManager.default.removeItem(at: output)
    }

    deinit { kill() }

    /// A process inherits what its maker's thread blocks, and the threads of tasks block SIGTERM.
    private static func withSignals(_ body: () throws -> Void) rethrows {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    var address: String { String(url.drop { $0 != "/" }.dropFirst(2)) }

    /// As kill -9 does: nobody is told.
    func kill() {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// Asks every client to move, and exits.
    func terminate() { Foundation.kill(process.processIdentifier, SIGTERM) }

    /// Stops the process without closing anything: the network is gone, as far as a client can tell.
    func freeze(_ isFrozen: Bool) { Foundation.kill(process.processIdentifier, isFrozen ? SIGSTOP : SIGCONT) }

    /// The value of a gauge.
    func metric(_ name: String) async throws -> Double? {
        let (page, _) = try await URLSession.shared.data(from: URL(string: admin + "/metrics")!)
        let text = String(decoding: page, as: UTF8.self)
        let values = text.split(separator: "\n").filter { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }
        return values.isEmpty ? nil : values.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }
}

/// The events of a loop, which a test can wait for.
final class Log: @unchecked Sendable {
    private let lock = NSLock()
    private var events: [PokeEvent] = []
    private var failure: PokeError?
    private var isOver = false
    private var task: Task<Void, Never>?

    init(_ pokes: Pokes) {
        task = Task { [weak self] in
            do {
                for try await event in pokes { self?.lock.withLock { self?.events.append(event) } }
            } catch { self?.lock.withLock { self?.failure = error as? PokeError } }
            self?.lock.withLock { self?.isOver = true }
        }
    }

    deinit { task?.cancel() }

    func cancel() { task?.cancel() }

    var all: [PokeEvent] { lock.withLock { events } }
    var described: [String] { all.map(describe) }
    var error: PokeError? { lock.withLock { failure } }
    var over: Bool { lock.withLock { isOver } }

    var data: [PokeData?] { all.compactMap { if case .poke(let poke) = $0 { poke.data } else { nil } } }

    func has(_ start: String) -> Bool { described.contains { $0.hasPrefix(start) } }
}

struct TooLate: Error { var what: String }

/// Waits for a condition. Answers how long that took.
@discardableResult
func until(_ what: String, within limit: Duration = .seconds(15), _ isSo: () async throws -> Bool) async throws -> Duration {
    let begun = ContinuousClock.now
    while try await !isSo() {
        if ContinuousClock.now - begun > limit { throw TooLate(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
    return ContinuousClock.now - begun
}
