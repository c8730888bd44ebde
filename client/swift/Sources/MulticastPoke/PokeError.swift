import GRPCCore
import GRPCProtobuf
import NIOSSL

/// Why a call or a subscription failed.
public struct PokeError: Error, Sendable {
    /// What a caller can do about it.
    public enum Kind: String, Sendable {
        /// The client is set up wrongly: its URL or its token.
        case config
        /// The data has no form on the wire: not a finite number, or too deep.
        case data
        /// The server refused for good: see `code` and `reason`. The same call would fail again.
        case refused
        /// The server can't be reached, or asked for a later retry. The outcome of a publish is unknown: the same key may be
        /// used again.
        case unavailable
        /// There is no secure connection. It lasts until one of the two sides is set up otherwise. Nothing was sent.
        case tls
        /// The token provider failed.
        case token
        /// The other side doesn't speak this protocol.
        case `protocol`
        /// The client was closed.
        case closed
    }

    public var kind: Kind
    /// For people. Never repeats what was sent.
    public var message: String
    /// The gRPC code, such as `NOT_FOUND`, when there was an answer or the transport made one up.
    public var code: String?
    /// The exact cause, from the table of errors in poke.proto. Only the server's own errors have one.
    public var reason: String?
    /// What is wrong with the input, by field.
    public var violations: [String: String] = [:]
    /// The HTTP status of an answer that wasn't gRPC: that of a proxy, or of something that isn't Multicast Poke.
    public var httpStatus: Int?
    /// When the server asks to come back, at the earliest.
    public var retryAfter: Duration?
    /// The final rejections that a loop has ended with, because the program didn't mark them as handled. At most 64.
    public var rejected: [PokeEvent.Rejected] = []
    /// What was underneath, for the log.
    public var cause: (any Error)?

    init(_ kind: Kind, _ message: String = "", cause: (any Error)? = nil) {
        (self.kind, self.message, self.cause) = (kind, message, cause)
    }

    /// The error of a loop whose interests are over and that hasn't handled these rejections: that of the first. `nil`: there is
    /// none.
    init?(_ rejected: [PokeEvent.Rejected]) {
        guard let first = rejected.first else { return nil }
        let others = rejected.count > 1 ? " (and \(rejected.count - 1) more of its interests)" : ""
        // A name that is too long is one reason to be refused.
        let name = [(first.interest.domain, 64), (first.interest.filter, 256)]
            .map { String($0.unicodeScalars.prefix($1)).debugDescription }.joined(separator: " ")
        self.init(.refused, "\(name): \(first.message)\(others)")
        (code, reason, self.rejected) = (first.code, first.reason.isEmpty ? nil : first.reason, rejected)
    }

    /// The name of a google.rpc.Code.
    static func name(ofCode code: Int) -> String {
        let names = [
            "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
            "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
            "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
        ]
        return names.indices.contains(code) ? names[code] : "UNKNOWN"
    }
}

extension PokeError: CustomStringConvertible {
    public var description: String {
        let what = [code, reason].compactMap { $0 }.joined(separator: " ")
        return [what.isEmpty ? kind.rawValue : what, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

/// What to do about a failed call.
enum Remedy: Sendable {
    /// Try again, after the error's `retryAfter` and the backoff.
    case retry
    /// Try again at once, but only once: after GOAWAY a connection's first new call can fail like this.
    case retryAtOnce
    /// Get another token and try again, once.
    case refreshToken
    case giveUp
}

/// A failed call, and what to do about it: the one rule of poke.proto, "Errors".
struct Failure: Error {
    var error: PokeError
    var remedy: Remedy
    /// The number of interests that the server accepts on a stream, if it has refused a Subscribe with more.
    var interestLimit: Int?

    static func retry(_ error: PokeError) -> Failure { Failure(error: error, remedy: .retry) }
    static func giveUp(_ error: PokeError) -> Failure { Failure(error: error, remedy: .giveUp) }

    /// The same, where no other token can help.
    var onceOnly: Failure { remedy == .refreshToken ? .giveUp(error) : self }

    /// Nobody but the transport, a proxy or a library has said so.
    var isFromElsewhere: Bool { error.reason == nil }
}

extension Failure {
    init(_ cause: any Error) {
        switch cause {
        case let failure as Failure: self = failure
        case let error as PokeError: self = .giveUp(error)
        case let status as RPCError: self.init(status)
        default: self = .retry(PokeError(.unavailable, "the call could not be made", cause: cause))
        }
    }

    private init(_ status: RPCError) {
        let details = (try? status.unpackGoogleRPCStatus())?.details ?? []
        let info = details.lazy.compactMap(\.errorInfo).first
        let isFromServer = info?.domain == "poke.v1"
        let retryAfter = details.lazy.compactMap(\.retryInfo).first.map { $0.delay.bounded }
        let http = isFromServer ? nil : HTTPAnswer(status.metadata)

        let isTLS = status.isTLS
        let remedy: Remedy =
            switch (status.code, http) {
            // A certificate may be renewed, and a server set up rightly, while a subscription waits.
            case _ where isTLS || retryAfter != nil: .retry
            case (_, let http?): http.remedy
            // After a GOAWAY the transport says just this of a call that it can't place, and of one that was reset. What it can't
            // reach has a cause.
            case (.unavailable, _) where status.metadata.isEmpty && status.cause == nil: .retryAtOnce
            case (.unavailable, _), (.deadlineExceeded, _): .retry
            case (.unauthenticated, _): .refreshToken
            case _ where isFromServer: .giveUp
            case (.cancelled, _), (.internalError, _), (.unknown, _): .retryAtOnce
            default: .giveUp
            }
        let kind: PokeError.Kind =
            switch remedy {
            case _ where isTLS: .tls
            case .giveUp where http.map { !$0.isRefusal } ?? false: .protocol
            case .retry, .retryAtOnce: .unavailable
            case .refreshToken, .giveUp: .refused
            }
        error = PokeError(kind, http?.words ?? status.message, cause: status)
        error.code = PokeError.name(ofCode: status.code.rawValue)
        error.reason = isFromServer ? info?.reason : nil
        error.httpStatus = http?.status
        error.retryAfter = retryAfter
        for violation in details.lazy.compactMap(\.badRequest).flatMap(\.violations) {
            error.violations[violation.field] = violation.violationDescription
        }
        self.remedy = remedy
        interestLimit = error.reason == tooManyInterests ? info?.metadata["limit"].flatMap { Int($0) } : nil
    }
}

/// The reason of a refusal because of the number of interests, from the table of errors in poke.proto.
let tooManyInterests = "TOO_MANY_INTERESTS"

/// An answer that isn't gRPC: a proxy speaks for the server, or something else listens there.
private struct HTTPAnswer {
    var status: Int

    /// `nil`: it is gRPC, or the transport made it up. The transport hands on the headers of what it didn't understand.
    init?(_ headers: Metadata) {
        guard let status = headers[stringValues: ":status"].first(where: { _ in true }).flatMap({ Int($0) }) else { return nil }
        let kind = headers[stringValues: "content-type"].first { _ in true } ?? ""
        if status == 200, kind.hasPrefix("application/grpc") { return nil }
        self.status = status
    }

    var remedy: Remedy {
        switch status {
        case 401: .refreshToken
        case 408, 429, 500...599: .retry
        default: .giveUp
        }
    }

    /// What listens there knows the request, and says no.
    var isRefusal: Bool { [401, 403, 413, 431].contains(status) }

    var words: String {
        switch status {
        case 413: "the request is too large for it (HTTP 413)"
        case 431: "the request's headers are too large for it (HTTP 431)"
        default: "HTTP \(status)"
        }
    }
}

extension RPCError {
    fileprivate var isTLS: Bool {
        var cause = self.cause
        while let status = cause as? RPCError { cause = status.cause }
        return cause is NIOSSLError || cause is BoringSSLError || cause is NIOSSLExtraError
    }
}
