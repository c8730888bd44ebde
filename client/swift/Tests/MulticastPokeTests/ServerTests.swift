import Foundation
import GRPCNIOTransportHTTP2Posix
import Synchronization
import Testing

@testable import MulticastPoke

private let playlist = Interest("PLAYLIST", "42")

/// The SDK against the real server.
@Suite(.enabled(if: RealServer.binary != nil, "POKE_SERVER names no server"), .serialized) struct ServerTests {
    @Test func aPokeArrivesWithItsDataAndAnEndEndsTheLoop() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        let sent: [PokeData?] = [nil, .null, "", "Updated", ["added": ["track-7"], "by": .null, "n": 1.5], .bool(false), []]
        for data in sent { try await client.publish("PLAYLIST", "42", data: data) }
        try await client.end("PLAYLIST", "42", data: "bye")
        try await until("the end") { log.over }
        #expect(log.data == sent)
        guard case .ended(let ended)? = log.all.last else { return #expect(Bool(false), "\(log.described)") }
        #expect(ended.data == "bye" && log.error == nil)
    }

    @Test func aPublishSaysWhereItStandsAndItsKeyMakesARepeatOne() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        let first = try await client.publish("PLAYLIST", "42", data: 1, key: "k")
        let again = try await client.publish("PLAYLIST", "42", data: 1, key: "k")
        #expect(!first.isDuplicate && first.localReceiverCount == 1)
        #expect(again.isDuplicate && again.position == first.position)
        await #expect { try await client.publish("PLAYLIST", "42", data: 2, key: "k") } throws: {
            ($0 as? PokeError)?.reason == "IDEMPOTENCY_KEY_REUSED"
        }
        await #expect { try await client.publish("PLAYLIST", "\u{7}") } throws: {
            let error = $0 as? PokeError
            return error?.code == "INVALID_ARGUMENT" && error?.kind == .refused && error?.violations["filter"] != nil
        }
    }

    @Test func aLoopWhoseInterestIsRefusedThrowsWhatTheServerHasSaid() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let wrong = Interest("PLAYLIST", "\u{7}")
        await #expect { for try await _ in client.pokes(wrong) {} } throws: {
            let error = $0 as? PokeError
            return error?.kind == .refused && error?.reason == "INVALID_FILTER" && error?.rejected.map(\.interest) == [wrong]
        }
        for try await event in client.pokes(wrong) {
            if case .rejected(let rejected) = event { rejected.markHandled() }
        }
    }

    @Test func whatIsOverTheLimitWaitsAndTheOthersAreLive() async throws {
        let server = try await RealServer(["--stream.max-interests", "100"])
        let client = try PokeClient(server.url)
        let many = (100..<202).map { Interest("PLAYLIST", String($0)) }
        let pokes = client.pokes(many)
        let log = Log(pokes)
        try await until("100 are live") { log.described.filter { $0.hasPrefix("live") }.count == 100 }
        #expect(log.described.filter { $0.hasPrefix("rejected") } == ["rejected 200 for now", "rejected 201 for now"])
        pokes.remove(many[0])
        try await until("there is room") { log.has("live 200") }
        for filter in ["101", "200"] { try await client.publish("PLAYLIST", filter, data: .string(filter)) }
        try await until("both arrive") { log.data == ["101", "200"] }
        #expect(!log.over && !log.has("live 201"))
    }

    @Test func aServerThatAcceptsMoreThanIsAssumedServesAll() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let log = Log(client.pokes((0..<150).map { Interest("PLAYLIST", String($0)) }))
        try await until("all are live") { log.described.filter { $0.hasPrefix("live") }.count == 150 }
        let streams = try await server.metric("poke_streams_open")
        #expect(streams == 1 && !log.has("rejected"))
    }

    /// Case 4.
    @Test func aServerThatIsKilledAndBackAtOnceIsFoundWithAGap() async throws {
        var server = try await RealServer()
        let address = server.address
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        try await client.publish("PLAYLIST", "42", data: 1)
        try await until("poke") { log.data == [1] }
        server.kill()
        try await until("the loss is told") { log.has("reconnecting") }
        server = try await RealServer(address: address)
        let taken = try await until("the gap") { log.has("gap 42 epochChanged") }
        try await client.publish("PLAYLIST", "42", data: 2)
        try await until("the next poke") { log.data == [1, 2] }
        #expect(taken < .seconds(15))
    }

    @Test func aDrainMovesTheLoopToTheNextServerAndLosesNothing() async throws {
        var server = try await RealServer()
        let address = server.address
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        let old = server
        async let successor = RealServer(address: address)
        try await Task.sleep(for: .milliseconds(200))
        old.terminate()
        server = try await successor
        try await until("the other stream") { log.described.filter { $0 == "connected" }.count == 2 }
        for number in 0..<5 { try await client.publish("PLAYLIST", "42", data: .number(Double(number))) }
        try await until("pokes") { log.data.count == 5 }
        #expect(!log.has("reconnecting"), "make before break")
    }

    /// Case 15.
    @Test func twoLoopsShareOneStreamAndOneMayLeave() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let one = Log(client.pokes([playlist, playlist]))
        try await until("live") { one.has("live") }
        let two = Log(client.pokes(playlist))
        try await until("live") { two.has("live") }
        try await client.publish("PLAYLIST", "42", data: 1)
        try await until("both") { one.data == [1] && two.data == [1] }
        let streams = try await server.metric("poke_streams_open")
        #expect(streams == 1)
        one.cancel()
        try await until("left") { one.over }
        try await client.publish("PLAYLIST", "42", data: 2)
        try await until("the other") { two.data == [1, 2] }
        #expect(one.data == [1])
        two.cancel()
        try await until("no stream") { try await server.metric("poke_streams_open") == 0 }
    }

    @Test func leavingTheLoopClosesTheStream() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        for try await event in client.pokes(playlist) { if case .live = event { break } }
        try await until("no stream", within: .seconds(3)) { try await server.metric("poke_streams_open") == 0 }
        #expect(client.positions.isEmpty)
    }

    /// Case 23: two streams on one connection, of which one is cancelled.
    @Test func cancellingOneStreamLeavesTheOther() async throws {
        let server = try await RealServer()
        let connection = try Endpoint(server.url).dial(nil)()
        let (one, two) = (try PokeClient(over: connection), try PokeClient(over: connection))
        let (first, second) = (Log(one.pokes(playlist)), Log(two.pokes(playlist)))
        try await until("live") { first.has("live") && second.has("live") }
        let (streams, connections) = (
            try await server.metric("poke_streams_open"), try await server.metric("poke_connections_open")
        )
        #expect(streams == 2 && connections == 1)
        first.cancel()
        let taken = try await until("seen at once") { try await server.metric("poke_streams_open") == 1 }
        #expect(taken < .seconds(2))
        try await two.publish("PLAYLIST", "42", data: 1)
        try await until("the other") { second.data == [1] }
    }

    /// Case 24: silence of the network.
    @Test func silenceIsNoticedWithin2HalfHeartbeatsAndNothingIsLost() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        try await client.publish("PLAYLIST", "42", data: 1)
        server.freeze(true)
        let taken = try await until("noticed") { log.has("reconnecting") }
        #expect(taken < .seconds(4))
        server.freeze(false)
        try await until("back") { log.described.filter { $0.hasPrefix("live") }.count == 2 }
        try await client.publish("PLAYLIST", "42", data: 2)
        try await until("pokes") { log.data == [1, 2] }
        #expect(log.has("live 42 recovered"))
    }

    /// Cases 25 and 26: nothing ends an idle stream.
    @Test(.timeLimit(.minutes(2))) func anIdleStreamGoesOn() async throws {
        let server = try await RealServer(heartbeat: "5s")
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        try await Task.sleep(for: .seconds(13))
        try await client.publish("PLAYLIST", "42", data: 1)
        try await until("poke") { log.data == [1] }
        #expect(log.described == ["connected", "live 42 fresh", "poke 42 1"])
    }

    /// Case 44.
    @Test func filtersThatOnlyLookTheSameAreTwoInterests() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let (composed, decomposed) = (Interest("PLAYLIST", "\u{e9}"), Interest("PLAYLIST", "e\u{301}"))
        let (one, two) = (Log(client.pokes(composed)), Log(client.pokes(decomposed)))
        try await until("live") { one.has("live") && two.has("live") }
        try await client.publish("PLAYLIST", composed.filter, data: 1)
        try await client.publish("PLAYLIST", decomposed.filter, data: 2)
        try await until("each its own") { one.data.count == 1 && two.data.count == 1 }
        #expect(one.data == [1] && two.data == [2])
    }

    /// Case 46.
    @Test func depth24ArrivesAnd25IsRefusedBeforeItIsSent() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        let deepest = (0..<24).reduce(PokeData.string("x")) { data, _ in ["k": data] }
        try await client.publish("PLAYLIST", "42", data: deepest)
        try await until("poke") { log.data == [deepest] }
        await #expect { try await client.publish("PLAYLIST", "42", data: ["k": deepest]) } throws: {
            ($0 as? PokeError)?.kind == .data
        }
    }

    @Test func the131072ndBytePassesAndTheNextIsRefused() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        // Domain and filter take 10 and 4 bytes.
        func text(of size: Int) throws -> PokeData {
            let rest = try PokeData.encodedSize(.string(String(repeating: "x", count: 131_000))) - 131_000
            return .string(String(repeating: "x", count: size - 14 - rest))
        }
        let largest = try text(of: 131_072)
        #expect(try PokeData.encodedSize(largest) == 131_072 - 14)
        try await client.publish("PLAYLIST", "42", data: largest)
        try await until("it arrives") { log.data == [largest] }
        await #expect { try await client.publish("PLAYLIST", "42", data: text(of: 131_073)) } throws: {
            ($0 as? PokeError)?.reason == "POKE_TOO_LARGE"
        }
    }

    @Test func aSlowLoopMakesTheServerWaitAndOthersGoOn() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let pokes = client.pokes(playlist)
        var slow = pokes.makeAsyncIterator()
        while let event = try await slow.next() { if case .live = event { break } }
        let publisher = try PokeClient(server.url)
        let text = PokeData.string(String(repeating: "x", count: 100_000))
        for _ in 0..<200 { try await publisher.publish("PLAYLIST", "42", data: text) }
        // The same connection still carries calls.
        try await client.publish("PLAYLIST", "43", deadline: .seconds(5))
        // Each poke is read, or a gap says how many were missed.
        var (read, missed) = (0, 0)
        while read + missed < 200, let event = try await slow.next() {
            if case .poke = event { read += 1 }
            if case .gap(let gap) = event { missed += Int(gap.missedCount ?? 0) }
        }
        #expect(read + missed == 200 && missed > 0)
    }

    @Test func theSetMayChangeWhileItIsRead() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let pokes = client.pokes(playlist)
        let log = Log(pokes)
        try await until("live") { log.has("live") }
        let other = Interest("PLAYLIST", "43")
        try pokes.add(other)
        try await until("live") { log.has("live 43") }
        #expect(pokes.remove(playlist))
        try await client.publish("PLAYLIST", "42", data: 1)
        try await client.publish("PLAYLIST", "43", data: 2)
        try await until("poke") { log.data == [2] }
        try await until("the position") { pokes.positions.map(\.interest) == [other] }
        #expect(!log.has("reconnecting"))
    }

    @Test func savedPositionsGoOnInAnotherClient() async throws {
        let server = try await RealServer()
        let first = try PokeClient(server.url)
        let log = Log(first.pokes(playlist))
        try await until("live") { log.has("live") }
        try await first.publish("PLAYLIST", "42", data: 1)
        try await until("poke") { log.data == [1] }
        let saved = first.positions
        first.close()
        try await until("over") { log.over }
        let second = try PokeClient(server.url)
        try await second.publish("PLAYLIST", "42", data: 2)
        let rest = Log(second.pokes([playlist], after: saved))
        try await until("the rest") { rest.data == [2] }
        #expect(rest.has("live 42 recovered"))
    }

    @Test func theBackgroundClosesTheStreamAndTheForegroundCatchesUp() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url)
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        client.suspend()
        try await until("closed") { try await server.metric("poke_streams_open") == 0 }
        try await client.publish("PLAYLIST", "42", data: 1)
        client.resume()
        let taken = try await until("caught up") { log.data == [1] }
        #expect(taken < .seconds(2))
        client.networkChanged()
        try await until("moved") { log.described.filter { $0 == "connected" }.count == 3 }
        try await client.publish("PLAYLIST", "42", data: 2)
        try await until("poke") { log.data == [1, 2] }
        #expect(!log.has("reconnecting"))
    }

    @Test func anotherNetworkMeansAnotherConnection() async throws {
        let server = try await RealServer()
        let dials = Mutex(0)
        let dial = try Endpoint(server.url).dial(nil)
        let client = PokeClient(tokens: .none, eventBuffer: 64) {
            dials.withLock { $0 += 1 }
            return try dial()
        }
        let log = Log(client.pokes(playlist))
        for count in 1...3 {
            try await until("live on it") { log.described.filter { $0 == "connected" }.count == count }
            #expect(dials.withLock { $0 } == count)
            try await until("the old one is closed") { try await server.metric("poke_connections_open") == 1 }
            client.networkChanged()
        }
        #expect(!log.has("reconnecting"))
    }

    @Test func aServerThatIsNotThereIsToldAndTriedAgain() async throws {
        let client = try PokeClient("http://127.0.0.1:9")
        let log = Log(client.pokes(playlist))
        try await until("told") { log.described.filter { $0.hasPrefix("reconnecting") }.count == 2 }
        await #expect { try await client.publish("PLAYLIST", "42", deadline: .seconds(1)) } throws: {
            ($0 as? PokeError)?.kind == .unavailable
        }
        client.close()
        try await until("over") { log.over }
    }
}

extension PokeClient {
    convenience init(over connection: any Connection) throws {
        self.init(tokens: .none, eventBuffer: 64) { connection }
    }
}

/// TLS, and other ways to the server.
@Suite(.enabled(if: RealServer.binary != nil, "POKE_SERVER names no server"), .serialized) struct TransportTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "poke-tls-\(UUID())")

    private static let openssl = ["/usr/bin/openssl", "/opt/homebrew/bin/openssl"].first {
        FileManager.default.fileExists(atPath: $0)
    }

    /// A certificate for this machine, made as the README does.
    private func makeCertificate() throws -> (certificate: String, key: String) {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let (certificate, key) = (folder.appending(path: "tls.crt").path, folder.appending(path: "tls.key").path)
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: Self.openssl ?? "")
        openssl.arguments =
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", key,
                "-out",
                certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
                "basicConstraints=critical,CA:FALSE",
            ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        return (certificate, key)
    }

    @Test(.enabled(if: openssl != nil, "openssl isn't here"))
    func aCertificateOfAKnownAuthorityIsTrustedAndAnotherIsToldApart() async throws {
        let (certificate, key) = try makeCertificate()
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try await RealServer(["--tls.certificate", certificate, "--tls.key", key])
        let security = HTTP2ClientTransport.Posix.TransportSecurity.tls {
            $0.trustRoots = .certificates([.file(path: certificate, format: .pem)])
        }
        for host in ["localhost", "127.0.0.1"] {
            let url = "https://\(host):" + server.address.split(separator: ":")[1]
            let client = try PokeClient(url, security: security)
            let log = Log(client.pokes(playlist))
            try await until("live at \(host)") { log.has("live") }
            try await client.publish("PLAYLIST", "42", data: .string(host))
            try await until("poke") { log.data == [.string(host)] }

            let stranger = try PokeClient(url)
            await #expect { try await stranger.publish("PLAYLIST", "42") } throws: { ($0 as? PokeError)?.kind == .tls }
            let waiting = Log(stranger.pokes(playlist))
            try await until("told") { waiting.has("reconnecting") }
            guard case .reconnecting(let lost)? = waiting.all.first else { return #expect(Bool(false)) }
            #expect(lost.cause.kind == .tls)
        }
    }

    @Test func aSocketOfTheFileSystemCarriesCallsAsWell() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "poke-\(UUID()).sock").path
        let server = try await RealServer(address: "unix:\(path)")
        let client = try PokeClient("unix:\(path)")
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        try await client.publish("PLAYLIST", "42", data: 1)
        try await until("poke") { log.data == [1] }
        withExtendedLifetime(server) {}
    }

    @Test func aTransportOfTheProgramsOwnCarriesCallsAsWell() async throws {
        let server = try await RealServer()
        let port = Int(server.address.split(separator: ":")[1])
        let client = PokeClient {
            try .http2NIOPosix(target: .ipv4(address: "127.0.0.1", port: port ?? 0), transportSecurity: .plaintext)
        }
        let log = Log(client.pokes(playlist))
        try await until("live") { log.has("live") }
        try await client.publish("PLAYLIST", "42", data: 1)
        try await until("poke") { log.data == [1] }
        let wrong = try PokeClient(
            "https://localhost",
            security: .tls { $0.trustRoots = .certificates([.file(path: "/nowhere.pem", format: .pem)]) })
        await #expect { try await wrong.publish("PLAYLIST", "42") } throws: { ($0 as? PokeError)?.kind == .config }
    }

    @Test func tokensComeFromTheProviderAndAreNeverPrinted() async throws {
        let server = try await RealServer()
        let client = try PokeClient(server.url) { throw CancellationError() }
        let log = Log(client.pokes(playlist))
        try await until("told") { log.has("reconnecting") }
        guard case .reconnecting(let lost)? = log.all.first else { return #expect(Bool(false)) }
        #expect(lost.cause.kind == .token)
        let broken = try PokeClient(server.url, token: "a\nb")
        await #expect { try await broken.publish("PLAYLIST", "42") } throws: {
            ($0 as? PokeError)?.kind == .config && !"\($0)".contains("a\nb")
        }
    }

    /// A connection that never opens leaves time for another attempt.
    @Test func aPublishThatNobodyAnswersEndsAtItsDeadline() async throws {
        let silent = try SilentListener()
        let client = try PokeClient("http://127.0.0.1:\(silent.port)")
        let begun = ContinuousClock.now
        await #expect { try await client.publish("PLAYLIST", "42", deadline: .seconds(3)) } throws: {
            let error = $0 as? PokeError
            return error?.kind == .unavailable && ["UNAVAILABLE", "DEADLINE_EXCEEDED"].contains(error?.code)
        }
        let taken = ContinuousClock.now - begun
        #expect(taken < .seconds(4) && taken > .seconds(1))
    }
}

/// Takes connections and never says anything.
private final class SilentListener {
    let port: UInt16
    private let socket: Int32

    init() throws {
        #if canImport(Glibc)
            let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let socket = Foundation.socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socket, pointer, size) == 0 && listen(socket, 8) == 0 && getsockname(socket, pointer, &size) == 0
            }
        }
        guard bound else { throw TooLate(what: "no socket") }
        self.socket = socket
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(socket) }
}
