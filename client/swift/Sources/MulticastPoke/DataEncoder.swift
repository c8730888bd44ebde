/// Makes ``PokeData`` of a value of any type, without the detour over JSON text, which would round large integers in silence.
final class DataEncoder: Encoder {
    let codingPath: [any CodingKey]
    let userInfo: [CodingUserInfoKey: Any] = [:]
    /// What has been written, once everything below it is.
    private var finish: () -> PokeData? = { nil }

    init(path: [any CodingKey]) {
        codingPath = path
    }

    func data(of value: any Encodable) throws -> PokeData {
        try value.encode(to: self)
        guard let data = finish() else {
            throw EncodingError.invalidValue(value, .init(codingPath: codingPath, debugDescription: "it has no value"))
        }
        return data
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        let members = Members(path: codingPath)
        finish = { .object(members.entries.compactMapValues { $0() }) }
        return KeyedEncodingContainer(Keyed<Key>(members: members))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        let members = Members(path: codingPath)
        finish = { .array(members.list.compactMap { $0() }) }
        return Unkeyed(members: members)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        Single(encoder: self)
    }

    /// An encoder for something inside of an array or object; `finish` of it is read when that is complete.
    private func result() -> PokeData? { finish() }

    /// The contents of one array or object. Nested containers are filled after they were asked for, so each is a closure.
    private final class Members {
        let path: [any CodingKey]
        var entries: [String: () -> PokeData?] = [:]
        var list: [() -> PokeData?] = []

        init(path: [any CodingKey]) { self.path = path }

        func encoder(for key: any CodingKey) -> DataEncoder { DataEncoder(path: path + [key]) }
    }

    private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let members: Members
        var codingPath: [any CodingKey] { members.path }

        mutating func encodeNil(forKey key: Key) { members.entries[key.stringValue] = { .null } }

        mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
            let data = try members.encoder(for: key).data(of: value)
            members.entries[key.stringValue] = { data }
        }

        private func nested(_ key: any CodingKey) -> DataEncoder {
            let encoder = members.encoder(for: key)
            members.entries[key.stringValue] = { encoder.result() }
            return encoder
        }

        mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type, forKey key: Key) -> KeyedEncodingContainer<N> {
            nested(key).container(keyedBy: type)
        }

        mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
            nested(key).unkeyedContainer()
        }

        mutating func superEncoder() -> any Encoder { nested(Index("super")) }

        mutating func superEncoder(forKey key: Key) -> any Encoder { nested(key) }
    }

    private struct Unkeyed: UnkeyedEncodingContainer {
        let members: Members
        var codingPath: [any CodingKey] { members.path }
        var count: Int { members.list.count }

        mutating func encodeNil() { members.list.append { .null } }

        mutating func encode<T: Encodable>(_ value: T) throws {
            let data = try members.encoder(for: Index(intValue: count)).data(of: value)
            members.list.append { data }
        }

        private func nested() -> DataEncoder {
            let encoder = members.encoder(for: Index(intValue: count))
            members.list.append { encoder.result() }
            return encoder
        }

        mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type) -> KeyedEncodingContainer<N> {
            nested().container(keyedBy: type)
        }

        mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

        mutating func superEncoder() -> any Encoder { nested() }
    }

    private struct Single: SingleValueEncodingContainer {
        let encoder: DataEncoder
        var codingPath: [any CodingKey] { encoder.codingPath }

        private func set(_ data: PokeData) { encoder.finish = { data } }

        private func set(_ number: Double?, for value: any Sendable) throws {
            guard let number, number.isFinite else {
                throw EncodingError.invalidValue(value, .init(codingPath: codingPath, debugDescription: PokeData.inexact))
            }
            set(.number(number))
        }

        mutating func encodeNil() { set(.null) }
        mutating func encode(_ value: Bool) { set(.bool(value)) }
        mutating func encode(_ value: String) { set(.string(value)) }
        mutating func encode(_ value: Double) throws { try set(value, for: value) }
        mutating func encode(_ value: Float) throws { try set(Double(value), for: value) }
        mutating func encode<T: BinaryInteger & Encodable & Sendable>(_ value: T) throws {
            try set(Double(exactly: value), for: value)
        }

        mutating func encode<T: Encodable>(_ value: T) throws {
            let data = try DataEncoder(path: codingPath).data(of: value)
            set(data)
        }
    }

    private struct Index: CodingKey {
        let stringValue: String
        var intValue: Int? { Int(stringValue) }

        init(_ name: String) { stringValue = name }
        init(stringValue: String) { self.stringValue = stringValue }
        init(intValue: Int) { stringValue = String(intValue) }
    }
}
