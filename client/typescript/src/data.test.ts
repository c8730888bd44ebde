import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodedSize, fromValue, toValue } from "./data.js";
import { PokeError } from "./error.js";
import { PublishRequestSchema } from "./gen/poke/v1/poke_pb.js";
import type { Publish } from "./options.js";
import type { Data, Json } from "./types.js";

/** Over the wire and back. */
function trip(data: unknown): Data {
  const request = create(PublishRequestSchema, { data: toValue(data) });
  return fromValue(fromBinary(PublishRequestSchema, toBinary(PublishRequestSchema, request)).data);
}

function refusal(data: unknown): string {
  try {
    toValue(data);
  } catch (error) {
    expect(error).toBeInstanceOf(PokeError);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", isFinal: true });
    return (error as PokeError).message;
  }
  throw new Error("it was taken");
}

const nested = (depth: number): Json =>
  depth === 0 ? "x" : depth % 2 ? [nested(depth - 1)] : { deeper: nested(depth - 1) };

describe("what comes back is what was sent", () => {
  test("undefined, nothing and null are three things", () => {
    expect([trip(undefined), trip(""), trip(null)]).toEqual([undefined, "", null]);
  });

  test.each([
    [true],
    [0],
    [-0],
    [1.5],
    [2 ** 53 - 1],
    [-(2 ** 53 - 1)],
    [5e-324],
    ["\u0000 é 😀"],
    [[]],
    [{}],
    [{ "": [null, {}] }],
  ])("%j", (data) => {
    expect(trip(data)).toEqual(data);
  });

  test("any JSON", () => {
    const isTooLarge = (data: unknown): boolean =>
      typeof data === "number"
        ? Number.isInteger(data) && !Number.isSafeInteger(data)
        : Object.values(data && typeof data === "object" ? data : {}).some(isTooLarge);
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        if (isTooLarge(data)) expect(refusal(data)).toMatch(/53 bits/);
        else expect(trip(data)).toEqual(data);
      }),
    );
  });

  test("keys that JavaScript treats apart", () => {
    const back = trip(JSON.parse(`{"__proto__":{"polluted":true},"constructor":1,"a":{"__proto__":[1]}}`)) as { a: object };
    const own = (object: object, key: string) => Object.getOwnPropertyDescriptor(object, key)?.value;
    expect(own(back, "__proto__")).toEqual({ polluted: true });
    expect(own(back, "constructor")).toBe(1);
    expect(own(back.a, "__proto__")).toEqual([1]);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect("polluted" in back).toBe(false);
  });

  test("24 lists and objects, and objects without a prototype", () => {
    expect(trip(nested(24))).toEqual(nested(24));
    expect(trip(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
  });

  test("what is said twice, though it is one object", () => {
    const shared = { id: "7" };
    expect(trip([shared, { shared }])).toEqual([{ id: "7" }, { shared: { id: "7" } }]);
  });
});

test("interfaces and readonly lists compile as data, and what is no value of JSON at all doesn't", () => {
  interface Change {
    added: Track[];
    readonly removed: readonly string[];
    by?: string;
  }
  interface Track {
    id: string;
  }
  const change: Change = { added: [{ id: "7" }], removed: ["8"] };
  const poke: Publish = { domain: "PLAYLIST", filter: "1", data: change };
  const tracks: readonly string[] = ["7", "8"];
  const frozen = { list: [1, [2]], nothing: null } as const;
  expect([poke.data, tracks, frozen].map(trip)).toEqual([change, tracks, frozen]);
  expect([encodedSize(change), encodedSize(tracks), encodedSize(frozen)]).not.toContain(0);
  // @ts-expect-error: no bigint
  expect(() => encodedSize(1n)).toThrow("data is a bigint");
  // @ts-expect-error: no symbol
  expect(() => encodedSize(Symbol("a"))).toThrow("data is a symbol");
});

describe("what has no form on the wire is refused, and where it is", () => {
  class Track {}
  const circular: unknown[] = [];
  circular.push([{ again: circular }]);
  // biome-ignore lint/suspicious/noSparseArray: the hole is the case
  const holes = [1, , 3];
  test.each<[string, unknown, string]>([
    ["half a pair", { tracks: [1, 2, 3, { id: "a\ud800" }] }, "data.tracks[3].id has half of a surrogate pair"],
    ["half a pair in a key", { "\udfff": 1 }, "a key of data has half"],
    ["NaN", [Number.NaN], "data[0] is NaN"],
    ["infinity", { a: -Infinity }, "data.a is -Infinity"],
    ["2^53", { id: 2 ** 53 }, "data.id is an integer of more than 53 bits"],
    ["undefined", { a: undefined }, "data.a is undefined"],
    ["undefined in a list", [undefined], "data[0] is undefined"],
    ["a hole", holes, "data[1] is undefined"],
    ["a bigint", { a: { b: 1n } }, "data.a.b is a bigint"],
    ["a function", { toJSON: () => 1 }, "data.toJSON is a function"],
    ["a symbol", [Symbol("a")], "data[0] is a symbol"],
    ["a date", { at: new Date() }, "data.at is no plain object"],
    ["a map", new Map(), "data is no plain object"],
    ["a class's", { "a b": new Track() }, `data["a b"] is no plain object`],
    ["boxed text", new String("a"), "data is no plain object"],
    ["bytes", { a: new Uint8Array(2) }, "data.a is no plain object"],
    ["a cycle", circular, "data[0][0].again refers to itself"],
    ["25 deep", nested(25), "is nested in more than 24 lists and objects"],
  ])("%s", (_, data, message) => {
    expect(refusal(data)).toContain(message);
  });

  test("a violation names the field, and long keys are cut", () => {
    const key = "k".repeat(1000);
    try {
      toValue({ [key]: Number.NaN });
    } catch (error) {
      const { violations, message } = error as PokeError;
      expect(violations).toEqual([{ field: `data["${"k".repeat(64)}"]`, description: "is NaN" }]);
      expect(message.length).toBeLessThan(200);
    }
  });

  test("what shares itself into more values than a poke has bytes stops early", () => {
    let wide: unknown = "x";
    for (let depth = 0; depth < 24; depth += 1) wide = [wide, wide, wide];
    expect(() => toValue(wide)).toThrow(/larger than a poke/);
  });
});

describe("encodedSize", () => {
  test("is what data adds to a poke", () => {
    expect(encodedSize(undefined)).toBe(0);
    expect(encodedSize(null)).toBe(4);
    expect(encodedSize("é")).toBe(6);
    const numbers = (count: number) => Array.from({ length: count }, () => 0.5);
    expect(encodedSize(numbers(1001)) - encodedSize(numbers(1000))).toBe(11);
  });

  test("refuses what a publish refuses", () => {
    expect(() => encodedSize([Number.NaN])).toThrow(PokeError);
  });
});
