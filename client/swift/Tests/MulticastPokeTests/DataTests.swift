import Foundation
import Testing

@testable import MulticastPoke

/// Data in and out: nothing is lost, and nothing changes in silence.
@Suite struct DataTests {
    private struct Foreign: Codable, Equatable {
        var url: URL
        var bytes: Data
        var date: Date
        var amount: Decimal
    }

    private struct Change: Codable, Equatable {
        var added: [String]
        var by: String?
        var version: Int
        var weight: Double
        var isLast: Bool
        var nested: [String: [Int]]
    }

    @Test func aTypeOfTheProgramGoesOutAndComesBack() throws {
        let change = Change(
            added: ["a", "é"], by: nil, version: 9_007_199_254_740_991, weight: 0.5, isLast: true, nested: ["x": [1, -2]])
        let data = try PokeData(encoding: change)
        let expected: PokeData = [
            "added": ["a", "é"], "version": .number(9_007_199_254_740_991), "weight": 0.5, "isLast": true,
            "nested": ["x": [1, -2]],
        ]
        #expect(data == expected)
        #expect(try PokeData(data.wire()) == data)
        #expect(try data.decode(Change.self) == change)
    }

    @Test func foundationsTypesGoOutAndComeBack() throws {
        let sent = Foreign(
            url: try #require(URL(string: "https://a/b")), bytes: Data([1, 2, 255]), date: Date(timeIntervalSince1970: 1e9),
            amount: 1.25)
        let data = try PokeData(encoding: sent)
        #expect(try PokeData(data.wire()).decode(Foreign.self) == sent)
    }

    @Test func undefinedNullAndTextAreThreeThings() throws {
        #expect(try PokeData.encodedSize(nil) == 0)
        #expect(try PokeData.encodedSize(.null) == 4)
        #expect(try PokeData.encodedSize("") == 4)
        #expect(try PokeData(PokeData.null.wire()) == .null)
        #expect(try PokeData(PokeData.string("").wire()) == .string(""))
        #expect(try PokeData(encoding: String?.none) == .null)
        #expect(try PokeData(encoding: [Int?.none, 1]) == [.null, 1])
    }

    @Test func aNumberInAListCosts11Bytes() throws {
        let (one, two) = (try PokeData.encodedSize([1, 2]), try PokeData.encodedSize([1, 2, 3]))
        #expect(two - one == 11)
    }

    @Test func whatADoubleCannotHoldIsRefusedAndWhereIsSaid() throws {
        func refusal(_ value: some Encodable) -> String? {
            do {
                _ = try PokeData(encoding: value)
                return nil
            } catch { return error.kind == .data ? String(error.message.prefix { $0 != ":" }) : "\(error)" }
        }
        #expect(refusal(["a": [["b": 9_007_199_254_740_993]]]) == "data.a[0].b")
        #expect(refusal(Int64.max) == "data")
        #expect(refusal([UInt64.max]) == "data[0]")
        #expect(refusal([1.0, .nan]) == "data[1]")
        #expect(refusal([Float.infinity]) == "data[0]")
        #expect(refusal([Int64(1) << 60]) == nil)
        #expect(refusal([1e300, -0.0, 0x1p63, 12_345_678_901_234_567.0]) == nil)
        #expect(refusal(["12345678901234567\\\"", "x"]) == nil)
        #expect { try PokeData(json: #"{"a":-9007199254740993}"#) } throws: { "\($0)".contains("data.a") }
        #expect { try PokeData(json: "[1,") } throws: { ($0 as? PokeError)?.kind == .data }
        #expect(try PokeData(json: "[9007199254740992, 1e300, 1.5]") == [.number(0x1p53), 1e300, 1.5])
        #expect { _ = try PokeData.array([.number(.nan)]).wire() } throws: { "\($0)".contains("data[0]") }
    }

    @Test func numbersReadBackAsIntegersWhereTheyAre() throws {
        #expect(try PokeData.number(7).decode(Int.self) == 7)
        #expect(
            String(decoding: try JSONEncoder().encode([PokeData.number(7), 7.5, .number(-0x1p53 + 1)]), as: UTF8.self)
                == "[7,7.5,-9007199254740991]")
        #expect(PokeData.number(7).integer == 7 && PokeData.number(7.5).integer == nil && PokeData.number(0x1p53).integer == nil)
        #expect(try PokeData(json: #"{"a":[true,1,"x",null]}"#) == ["a": [true, 1, "x", .null]])
    }

    @Test func depth24PassesAnd25IsRefused() throws {
        func nested(_ depth: Int, _ wrap: (PokeData) -> PokeData) -> PokeData {
            (0..<depth).reduce(.string("x")) { data, _ in wrap(data) }
        }
        for wrap in [{ PokeData.array([$0]) }, { PokeData.object(["k": $0]) }] {
            let data = nested(24, wrap)
            #expect(try PokeData(data.wire()) == data)
            #expect { _ = try nested(25, wrap).wire() } throws: { ($0 as? PokeError)?.kind == .data }
        }
    }

    @Test func savedPositionsAreTheSameJSONInAllLanguages() throws {
        let json =
            #"[{"domain":"PLAYLIST","filter":"42","position":{"epoch":"e","sequence":"7"}},"#
            + #"{"audience":"customer","domain":"D","filter":"1","position":{"epoch":"e","sequence":"9223372036854775807"}}]"#
        let saved = [
            SavedPosition(Interest("PLAYLIST", "42"), Position(epoch: "e", sequence: 7)),
            SavedPosition(Interest("D", "1", audience: .customer), Position(epoch: "e", sequence: .max)),
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(String(decoding: try encoder.encode(saved), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode([SavedPosition].self, from: Data(json.utf8)) == saved)
        let number = #"{"epoch":"e","sequence":7}"#
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Position.self, from: Data(number.utf8)) }
    }

    @Test func aURLThatCanNeverWorkIsRefusedAtOnce() throws {
        for good in [
            "http://127.0.0.1:8080", "http://[::1]:8080", "https://poke", "http://poke", "unix:/run/poke", "unix:///run/poke",
            "http://poke:65535/",
        ] {
            #expect(throws: Never.self, "\(good)") { try PokeClient(good) }
        }
        for bad in [
            "", "127.0.0.1:8080", "localhost", "ftp://poke", "http://", "unix:", "http://a b", "http://poke:99999",
            "http://poke:0",
            "http://poke:", "http://poke:80x", "http://[::1]:65536", "http://poke:80/some/path", "http://poke?query",
            "https://user:secret@poke",
        ] {
            #expect("\(bad)") { try PokeClient(bad) } throws: {
                ($0 as? PokeError)?.kind == .config && !"\($0)".contains("secret")
            }
        }
    }
}
