import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore

/// Where a client connects to, read from its URL. The URL is never repeated, since it may hold a password.
struct Endpoint {
    private enum Target: Sendable {
        case unix(String)
        case host(String, port: Int)
    }

    private let target: Target
    private let isEncrypted: Bool

    init(_ url: String) throws(PokeError) {
        if url.hasPrefix("unix:") {
            let path = url.dropFirst("unix:".count).replacing(/^\/\/(?=\/)/, with: "")
            if path.isEmpty { throw PokeError(.config, "unix: needs the path of a socket") }
            (target, isEncrypted) = (.unix(String(path)), false)
            return
        }
        guard let parts = URLComponents(string: url) else { throw PokeError(.config, "this isn't a URL") }
        guard let scheme = parts.scheme, ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty else {
            throw PokeError(.config, "the URL must be https://HOST, http://HOST:PORT or unix:PATH")
        }
        guard parts.user == nil, parts.password == nil else {
            throw PokeError(.config, "the URL must hold no user and no password: a token says who calls")
        }
        guard ["", "/"].contains(parts.path), parts.query == nil, parts.fragment == nil else {
            throw PokeError(.config, "the URL must end after the host and its port")
        }
        isEncrypted = scheme == "https"
        let port = parts.port ?? (isEncrypted ? 443 : 80)
        guard (1...65535).contains(port), !url.hasSuffix(":"), !url.hasSuffix(":/") else {
            throw PokeError(.config, "the URL's port must be a number from 1 to 65535")
        }
        target = .host(host.trimmingCharacters(in: ["[", "]"]), port: port)
    }

    /// Makes connections there.
    func dial(
        _ security: HTTP2ClientTransport.Posix.TransportSecurity?
    ) throws(PokeError) -> @Sendable () throws -> any Connection {
        if security != nil, !isEncrypted { throw PokeError(.config, "certificates are for https: URLs alone") }
        let security = security ?? (isEncrypted ? .tls : .plaintext)
        let config = Self.config(isUnix: { if case .unix = target { true } else { false } }())
        return { [target] in
            GRPCConnection(
                try HTTP2ClientTransport.Posix(
                    target: Self.resolvable(target), transportSecurity: security, config: config))
        }
    }

    private static func resolvable(_ target: Target) -> any ResolvableTarget {
        switch target {
        case .unix(let path): .unixDomainSocket(path: path)
        case .host(let host, let port):
            // An address has no name that TLS could ask for, so it must not be taken for one.
            if (try? SocketAddress(ipAddress: host, port: port)) == nil {
                .dns(host: host, port: port)
            } else if host.contains(":") {
                .ipv6(address: host, port: port)
            } else {
                .ipv4(address: host, port: port)
            }
        }
    }

    private static func config(isUnix: Bool) -> HTTP2ClientTransport.Posix.Config {
        .defaults { config in
            // Enough for the largest event, and too little for one slow loop to hoard.
            config.http2.targetWindowSize = 256 * 1024
            if isUnix { config.http2.authority = "localhost" }
            // The one place where the transport lets us say how long connecting may take.
            config.channelDebuggingCallbacks.onCreateTCPConnection = { channel in
                channel.setOption(ChannelOptions.connectTimeout, value: .nanoseconds(Int64(Numbers.connecting / .nanoseconds(1))))
            }
        }
    }
}
