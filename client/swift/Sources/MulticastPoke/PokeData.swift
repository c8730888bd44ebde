import Foundation
import PokeV1
import SwiftProtobuf

/// What a poke carries: a string or any JSON. Its absence, *undefined*, is a `nil` of `PokeData?`, which is not ``null``.
///
/// Write it as a literal, `["added": ["track-7"], "by": .null]`, or make it of a type of your own by ``init(encoding:)``.
public enum PokeData: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A double, as in JavaScript: an integer that a double can't hold exactly is refused. Send it as text.
    case number(Double)
    case string(String)
    case array([PokeData])
    /// Keys are compared as Swift's strings are: of two that differ only by Unicode normalisation, one stays.
    case object([String: PokeData])

    /// A value of the program's own, as `JSONEncoder` writes it. Throws ``PokeError/Kind/data``, with the path, for a number that
    /// has no double.
    public init<T: Encodable>(encoding value: T) throws(PokeError) {
        do { self = try value as? PokeData ?? Self.parse(JSONEncoder().encode(value)) } catch { throw Self.refusal(error) }
    }

    /// JSON text. Throws ``PokeError/Kind/data`` for what isn't JSON, and as ``init(encoding:)``.
    public init(json: String) throws(PokeError) {
        do { self = try Self.parse(Data(json.utf8)) } catch { throw Self.refusal(error) }
    }

    /// As a type of the program's own.
    public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSONDecoder().decode(type, from: JSONEncoder().encode(self))
    }

    /// The text when it is a string.
    public var text: String? { if case .string(let text) = self { text } else { nil } }

    /// The number when it is a whole one of at most 2^53 - 1 in size.
    public var integer: Int64? {
        if case .number(let number) = self, number.magnitude < 0x1p53 { Int64(exactly: number) } else { nil }
    }
}

extension PokeData: Codable {
    public init(from decoder: any Swift.Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            let mayBeInteger = number.magnitude >= 0x1p53 && decoder.userInfo[.longIntegers] as? Bool ?? true
            guard number.isFinite, !mayBeInteger || Self.isExact(number, in: value) else {
                throw DecodingError.dataCorruptedError(in: value, debugDescription: Self.inexact)
            }
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let array = try? decoder.unkeyedContainer() {
            var (array, elements) = (array, [PokeData]())
            while !array.isAtEnd { elements.append(try array.decode(PokeData.self)) }
            self = .array(elements)
        } else {
            self = .object(try value.decode([String: PokeData].self))
        }
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let bool): try value.encode(bool)
        case .number(let number): try integer.map { try value.encode($0) } ?? value.encode(number)
        case .string(let string): try value.encode(string)
        case .array(let array): try value.encode(array)
        case .object(let object): try value.encode(object)
        }
    }
}

// Integers that a double can't hold.
extension PokeData {
    private static let inexact = "a number that a double can't hold exactly: send it as a string"

    private static func parse(_ json: Data) throws -> PokeData {
        let decoder = JSONDecoder()
        decoder.userInfo[.longIntegers] = hasLongInteger(json)
        return try decoder.decode(PokeData.self, from: json)
    }

    /// A decoder rounds a large integer to its double, and doesn't tell it from a number with an exponent, which is rounded by
    /// its nature. So numbers are compared with integers only where the text has large ones.
    private static func hasLongInteger(_ json: Data) -> Bool {
        var (isText, isEscaped, isWhole, digits) = (false, false, true, 0)
        for byte in json + Data(" ".utf8) {
            let character = UnicodeScalar(byte)
            if isText {
                (isText, isEscaped) = (isEscaped || character != "\"", !isEscaped && character == "\\")
                continue
            }
            switch character {
            case "0"..."9": digits += 1
            case ".", "e", "E": isWhole = false
            case "-", "+": break
            default:
                if isWhole, digits > 15 { return true }
                (isText, isWhole, digits) = (character == "\"", true, 0)
            }
        }
        return false
    }

    private static func isExact(_ number: Double, in value: any SingleValueDecodingContainer) -> Bool {
        if let integer = try? value.decode(Int64.self) { return Int64(exactly: number) == integer }
        if let integer = try? value.decode(UInt64.self) { return UInt64(exactly: number) == integer }
        return true
    }

    private static func refusal(_ error: any Error) -> PokeError {
        let context: (path: [any CodingKey], problem: String) =
            switch error {
            case EncodingError.invalidValue(_, let context): (context.codingPath, context.debugDescription)
            case DecodingError.dataCorrupted(let context): (context.codingPath, context.debugDescription)
            default: ([], "it has no form as JSON")
            }
        let path = context.path.reduce("data") { path, key in
            key.intValue.map { "\(path)[\($0)]" } ?? "\(path).\(key.stringValue)"
        }
        return PokeError(.data, "\(path): \(context.problem)", cause: error)
    }
}

extension CodingUserInfoKey {
    fileprivate static let longIntegers = CodingUserInfoKey(rawValue: "poke.longIntegers")!
}

/// As JSON.
extension PokeData: CustomStringConvertible {
    public var description: String { (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "?" }
}

/// `nil` is no literal of it: where an optional is meant it could become ``null``, which isn't the same.
extension PokeData: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// At most 32 bits, so that each has its double.
    public init(integerLiteral value: Int32) { self = .number(Double(value)) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: PokeData...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, PokeData)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

// The wire.
extension PokeData {
    /// The most arrays and objects that may be nested: `"x"` is 0, `[]` is 1.
    public static let maxDepth = 24

    /// How many bytes `data` adds to a poke. Domain, filter and data of one poke may take 131,072 together.
    public static func encodedSize(_ data: PokeData?) throws -> Int {
        guard let data else { return 0 }
        return try Poke_V1_PublishRequest.with { $0.data = try data.wire() }.serializedData().count
    }

    init(_ value: Google_Protobuf_Value) throws {
        switch value.kind {
        case .nullValue: self = .null
        case .boolValue(let bool): self = .bool(bool)
        case .numberValue(let number): self = .number(number)
        case .stringValue(let string): self = .string(string)
        case .listValue(let list): self = .array(try list.values.map { try PokeData($0) })
        case .structValue(let object): self = .object(try object.fields.mapValues { try PokeData($0) })
        case nil: throw PokeError(.protocol, "a value without a kind")
        }
    }

    func wire(path: String = "data", depth: Int = 0) throws -> Google_Protobuf_Value {
        func refuse(_ problem: String) -> PokeError { PokeError(.data, "\(path): \(problem)") }
        var value = Google_Protobuf_Value()
        switch self {
        case .null: value.nullValue = .nullValue
        case .bool(let bool): value.boolValue = bool
        case .string(let string): value.stringValue = string
        case .number(let number):
            guard number.isFinite else { throw refuse("a number that isn't finite") }
            value.numberValue = number
        case .array, .object:
            guard depth < Self.maxDepth else { throw refuse("more than \(Self.maxDepth) nested arrays and objects") }
            if case .array(let array) = self {
                value.listValue.values = try array.enumerated().map { try $1.wire(path: "\(path)[\($0)]", depth: depth + 1) }
            } else if case .object(let object) = self {
                value.structValue.fields = try Dictionary(
                    uniqueKeysWithValues: object.map { ($0, try $1.wire(path: "\(path).\($0)", depth: depth + 1)) })
            }
        }
        return value
    }
}
