import { create, toBinary } from "@bufbuild/protobuf";
import type { Value } from "@bufbuild/protobuf/wkt";
import { PokeError } from "./error.js";
import { PublishRequestSchema } from "./gen/poke/v1/poke_pb.js";
import type { Data, Json, Sendable } from "./types.js";

const MAX_DEPTH = 24;

/** More values than a poke has bytes: what is shared often takes more room on the wire than in memory. */
const MAX_VALUES = 131_072;

/** With the flag `u` a pair is one character, so that this finds halves alone. */
const HALF_A_PAIR = /[\uD800-\uDFFF]/u;

/**
 * How many bytes `data` adds to a poke. Domain, filter and data together may take 131,072; the two names cost two or three
 * bytes each beside their own.
 *
 * @throws PokeError INVALID_ARGUMENT, as a publish of the same data does.
 */
export function encodedSize(data: Sendable): number {
  return toBinary(PublishRequestSchema, create(PublishRequestSchema, { data: toValue(data) })).length;
}

/** Data as it is on the wire. @throws PokeError INVALID_ARGUMENT that says where it has no form there. */
export function toValue(data: unknown): Value | undefined {
  return data === undefined ? undefined : encode(data, "data", { above: [], values: 0 });
}

/** Data as it came. */
export function fromValue(value: Value | undefined): Data {
  return value && decode(value);
}

/** @throws PokeError INVALID_ARGUMENT for text with half a surrogate pair, which UTF-8 can't hold. */
export function checkText(text: unknown, path: string): string {
  if (typeof text !== "string") return refuse(path, "must be text");
  return HALF_A_PAIR.test(text) ? refuse(path, "has half of a surrogate pair") : text;
}

export function refuse(field: string, description: string): never {
  throw new PokeError("INVALID_ARGUMENT", `${field} ${description}`, { violations: [{ field, description }] });
}

/** What is on the way down to a value, and how many there were in all. */
interface Walk {
  above: object[];
  values: number;
}

// Messages are written out: `create` would copy the fields of an object into one where `__proto__` is no key.
function encode(data: unknown, path: string, walk: Walk): Value {
  walk.values += 1;
  if (walk.values > MAX_VALUES) throw new PokeError("RESOURCE_EXHAUSTED", "data is larger than a poke can be");
  if (data === null) return kind({ case: "nullValue", value: 0 });
  switch (typeof data) {
    case "boolean":
      return kind({ case: "boolValue", value: data });
    case "string":
      return kind({ case: "stringValue", value: checkText(data, path) });
    case "number":
      return kind({ case: "numberValue", value: checkNumber(data, path) });
    case "object":
      return encodeNested(data, path, walk);
    default:
      return refuse(path, `is ${data === undefined ? "undefined: leave it out, or say null" : `a ${typeof data}`}`);
  }
}

function encodeNested(data: object, path: string, walk: Walk): Value {
  if (walk.above.includes(data)) refuse(path, "refers to itself");
  if (walk.above.length === MAX_DEPTH) refuse(path, `is nested in more than ${MAX_DEPTH} lists and objects`);
  walk.above.push(data);
  const nested = Array.isArray(data) ? encodeList(data, path, walk) : encodeObject(data, path, walk);
  walk.above.pop();
  return nested;
}

function encodeList(list: unknown[], path: string, walk: Walk): Value {
  // Array.from reads a hole as undefined, which is refused.
  const values = Array.from(list, (item, index) => encode(item, `${path}[${index}]`, walk));
  return kind({ case: "listValue", value: { $typeName: "google.protobuf.ListValue", values } });
}

function encodeObject(object: object, path: string, walk: Walk): Value {
  const prototype = Object.getPrototypeOf(object);
  // The prototype of plain objects has none itself, also in another frame.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    refuse(path, "is no plain object: send a date as text, for example");
  }
  // An assignment to `__proto__` would set the prototype: `fromEntries` makes a key of it.
  const fields = Object.fromEntries(
    Object.entries(object).map(([key, value]) => [
      checkText(key, `a key of ${path}`),
      encode(value, path + step(key), walk),
    ]),
  );
  return kind({ case: "structValue", value: { $typeName: "google.protobuf.Struct", fields } });
}

function checkNumber(number: number, path: string): number {
  if (!Number.isFinite(number)) return refuse(path, `is ${number}`);
  if (Number.isInteger(number) && !Number.isSafeInteger(number)) {
    return refuse(path, "is an integer of more than 53 bits: send it as text");
  }
  return number;
}

function kind(kind: Value["kind"]): Value {
  return { $typeName: "google.protobuf.Value", kind };
}

/** One step of a path, for people. */
function step(key: string): string {
  return /^[A-Za-z_$][\w$]{0,63}$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 64))}]`;
}

function decode({ kind }: Value): Json {
  switch (kind.case) {
    case "listValue":
      return kind.value.values.map(decode);
    case "structValue": {
      const entries = Object.entries(kind.value.fields);
      // The library assigns to `__proto__` like to any key: what it had read there is the prototype now.
      const prototype = Object.getPrototypeOf(kind.value.fields);
      if (prototype !== Object.prototype) entries.push(["__proto__", prototype]);
      return Object.fromEntries(entries.map(([key, value]) => [key, decode(value)]));
    }
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}
