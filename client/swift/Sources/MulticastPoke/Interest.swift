/// To whom the pokes of an interest go. It is part of the interest's identity.
public enum Audience: String, Codable, Sendable {
    /// Everyone who holds the interest.
    case everyone
    /// The one customer whom the client's token names.
    case customer
}

/// What a client listens to: a domain and a filter, and the audience that goes with them.
///
/// The server checks the parts: a domain is 1 to 64 of `[A-Za-z0-9_.-]`, a filter 1 to 256 bytes of UTF-8 without control
/// characters. They are compared byte for byte, unlike Swift's strings, which are equal when they look the same.
public struct Interest: Codable, Sendable {
    /// The kind of data, for example `PLAYLIST`.
    public var domain: String
    /// Which one of its kind, for example a playlist's id.
    public var filter: String
    /// To whom the pokes go. Left out of the JSON when it is everyone.
    public var audience: Audience

    public init(_ domain: String, _ filter: String, audience: Audience = .everyone) {
        (self.domain, self.filter, self.audience) = (domain, filter, audience)
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        domain = try values.decode(String.self, forKey: .domain)
        filter = try values.decode(String.self, forKey: .filter)
        audience = try values.decodeIfPresent(Audience.self, forKey: .audience) ?? .everyone
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(domain, forKey: .domain)
        try values.encode(filter, forKey: .filter)
        if audience != .everyone { try values.encode(audience, forKey: .audience) }
    }

    private enum CodingKeys: CodingKey { case domain, filter, audience }
}

extension Interest: Hashable {
    public static func == (one: Interest, other: Interest) -> Bool {
        one.audience == other.audience && one.filter.utf8.elementsEqual(other.filter.utf8)
            && one.domain.utf8.elementsEqual(other.domain.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(Array(domain.utf8))
        hasher.combine(Array(filter.utf8))
        hasher.combine(audience)
    }
}

/// A place in a log that many interests share. Positions are ordered within an epoch; never compute loss from the distance of
/// two sequences. As JSON it is `{"epoch": "...", "sequence": "7"}`.
public struct Position: Codable, Sendable {
    /// Names one unbroken history. Opaque.
    public var epoch: String
    /// Strictly rises within an epoch, over all of its interests.
    public var sequence: Int64

    public init(epoch: String, sequence: Int64) {
        (self.epoch, self.sequence) = (epoch, sequence)
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        epoch = try values.decode(String.self, forKey: .epoch)
        guard let sequence = Int64(try values.decode(String.self, forKey: .sequence)) else {
            throw DecodingError.dataCorruptedError(forKey: .sequence, in: values, debugDescription: "not an int64 as text")
        }
        self.sequence = sequence
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(epoch, forKey: .epoch)
        try values.encode(String(sequence), forKey: .sequence)
    }

    /// False also when the two are of different epochs.
    func isAtOrBefore(_ other: Position) -> Bool {
        epoch.utf8.elementsEqual(other.epoch.utf8) && sequence <= other.sequence
    }

    private enum CodingKeys: CodingKey { case epoch, sequence }
}

extension Position: Equatable {
    public static func == (one: Position, other: Position) -> Bool {
        one.isAtOrBefore(other) && one.sequence == other.sequence
    }
}

/// `EPOCH:SEQUENCE`, for people.
extension Position: CustomStringConvertible {
    public var description: String { "\(epoch):\(sequence)" }
}

/// How far an interest has been read. Save these, and pass them to ``PokeClient/pokes(_:latest:after:)`` to go on there, also in
/// another process. As JSON it is `{"domain": "...", "filter": "...", "position": {"epoch": "...", "sequence": "7"}}`.
public struct SavedPosition: Codable, Hashable, Sendable {
    public var interest: Interest
    public var position: Position

    public init(_ interest: Interest, _ position: Position) {
        (self.interest, self.position) = (interest, position)
    }

    public init(from decoder: any Decoder) throws {
        interest = try Interest(from: decoder)
        position = try decoder.container(keyedBy: CodingKeys.self).decode(Position.self, forKey: .position)
    }

    public func encode(to encoder: any Encoder) throws {
        try interest.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(position, forKey: .position)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(interest) }

    private enum CodingKeys: CodingKey { case position }
}

/// Where an interest starts.
enum Start: Equatable, Sendable {
    case new, latest
    /// With everything retained after this position.
    case after(Position)
}
