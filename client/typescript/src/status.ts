import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { PokeError } from "./error.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/poke/v1/errors_pb.js";
import { LONGEST_DURATION } from "./numbers.js";

/** One of the details of a google.rpc.Status. */
export interface Detail {
  /** Ends with the name of the message. */
  type: string;
  value: Uint8Array;
}

/** The `domain` of ErrorInfo in each error that the server itself raises. */
const ERROR_DOMAIN = "poke.v1";

/** google.rpc.Code, by number. */
const CODES = (
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED " +
  "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split(" ");

/** A code's name; an unknown one is UNKNOWN. */
export function codeName(code: number): string {
  return CODES[code] ?? "UNKNOWN";
}

/** The error of a gRPC status. */
export function statusError(code: number, message: string, details: Detail[] = [], cause?: unknown): PokeError {
  const info = find(details, ErrorInfoSchema);
  const retry = find(details, RetryInfoSchema);
  const violations = find(details, BadRequestSchema)?.fieldViolations;
  const ours = info?.domain === ERROR_DOMAIN ? info : undefined;
  return new PokeError(codeName(code), message, {
    reason: ours?.reason,
    metadata: ours?.metadata,
    retryDelay: retry && (milliseconds(retry.retryDelay) ?? 0),
    violations: violations?.map(({ field, description }) => ({ field, description })),
    cause,
  });
}

/** A duration of the wire in milliseconds: a negative one is zero, and a day is the longest. */
export function milliseconds(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  return Math.max(0, Math.min(Number(duration.seconds) * 1000 + duration.nanos / 1e6, LONGEST_DURATION));
}

function find<D extends DescMessage>(details: Detail[], schema: D): MessageShape<D> | undefined {
  const detail = details.find(({ type }) => type.endsWith(`google.rpc.${schema.name}`));
  try {
    return detail && fromBinary(schema, detail.value);
  } catch {
    return undefined; // as if it weren't there: the code still says something
  }
}
