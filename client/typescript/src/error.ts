import type { Refusal } from "./types.js";

/** What is wrong with one field of a request. */
export interface Violation {
  /** The field's path, for example "data.tracks[3].id". */
  field: string;
  /** What is wrong with it. */
  description: string;
}

/** What a {@link PokeError} has beside its code and message. */
export interface PokeErrorOptions {
  reason?: string | undefined;
  /** By default what the table of the behaviour says of such an error. */
  isFinal?: boolean | undefined;
  retryDelay?: number | undefined;
  violations?: Violation[] | undefined;
  httpStatus?: number | undefined;
  metadata?: { readonly [key: string]: string } | undefined;
  rejected?: readonly Refusal[] | undefined;
  cause?: unknown;
}

/** The reason of a refusal of more interests than one stream may have. */
export const TOO_MANY_INTERESTS = "TOO_MANY_INTERESTS";

/** Why something failed. */
export class PokeError extends Error {
  override readonly name = "PokeError";
  /**
   * A code of gRPC, for example "INVALID_ARGUMENT". "UNAVAILABLE" and "DEADLINE_EXCEEDED" from a publish mean, unless they are
   * final, that the outcome is unknown: the same idempotency key may be used again. "CANCELLED": the program itself has given up.
   */
  readonly code: string;
  /** The exact cause in UPPER_SNAKE, from the table of errors in poke.proto. Only the server's own errors have one. */
  readonly reason: string | undefined;
  /** True when the same call would fail again. */
  readonly isFinal: boolean;
  /** Milliseconds after which the server asks to come back, at the earliest. */
  readonly retryDelay: number | undefined;
  /** What is wrong with the input, field by field. */
  readonly violations: Violation[];
  /** The HTTP status of an answer that wasn't gRPC: that of a proxy, or of something that isn't Multicast Poke. */
  readonly httpStatus: number | undefined;
  /** Details of the reason as the server sent them, for example `limit` of "TOO_MANY_INTERESTS". */
  readonly metadata: { readonly [key: string]: string };
  /** The final refusals that ended a subscription: those that the program didn't handle, the first one first. */
  readonly rejected: readonly Refusal[];

  constructor(code: string, message: string, options: PokeErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.reason = options.reason;
    this.retryDelay = options.retryDelay;
    this.violations = options.violations ?? [];
    this.httpStatus = options.httpStatus;
    this.metadata = options.metadata ?? {};
    this.rejected = options.rejected ?? [];
    this.isFinal = options.isFinal ?? ["giveUp", "refreshToken"].includes(remedyOf(this));
  }
}

/** The error of refused interests: it names the first one, and says what the server says of it. */
export function refusalError(first: Refusal, ...others: Refusal[]): PokeError {
  const { interest, code, message } = first;
  // Quoted and cut: a malformed name can hold anything.
  const [domain, filter] = [interest.domain, interest.filter].map((name) => JSON.stringify(name.slice(0, 64)));
  const options = { ...first, rejected: [first, ...others] };
  return new PokeError(code, `the interest ${domain} ${filter} is refused: ${message}`, options);
}

/** A message came that can't be read. */
export class Unreadable extends PokeError {
  constructor(cause: unknown) {
    super("DATA_LOSS", "a message can't be read", { cause, isFinal: false });
  }
}

/** What to do about a failed call. "retryAtOnce": but only once, since after GOAWAY a first new call can fail like this. */
export type Remedy = "retry" | "retryAtOnce" | "refreshToken" | "giveUp";

/** The one rule of poke.proto, "Errors". */
export function remedyOf(error: PokeError): Remedy {
  const { code, httpStatus } = error;
  if (error instanceof Unreadable) return "retry";
  if (httpStatus !== undefined && httpStatus !== 401) {
    return httpStatus === 408 || httpStatus === 429 || httpStatus >= 500 ? "retry" : "giveUp";
  }
  if (error.retryDelay !== undefined || code === "UNAVAILABLE" || code === "DEADLINE_EXCEEDED") return "retry";
  if (code === "UNAUTHENTICATED") return "refreshToken";
  const isByServer = error.reason !== undefined;
  return !isByServer && ["CANCELLED", "INTERNAL", "UNKNOWN"].includes(code) ? "retryAtOnce" : "giveUp";
}
