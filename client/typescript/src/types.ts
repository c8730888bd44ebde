import type { PokeError } from "./error.js";

/** A JSON value. Numbers are IEEE 754 doubles: send a larger integer as text. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What a poke says: `undefined` says nothing, which is not the same as `null`. */
export type Data = Json | undefined;

/**
 * What a poke is given to say: JSON values, also as interfaces and readonly lists.
 *
 * TypeScript can't tell these from objects that JSON doesn't have. So a Date, a function, a bigint or an undefined value within
 * an object compiles, and is refused when it is sent, with its path.
 */
export type Sendable = Data | object;

/** To whom pokes go: to everyone who listens, or to one customer, whom the server takes from the token. */
export type Audience = "everyone" | "customer";

/** What a program listens to, and what a poke is published under. */
export interface Interest {
  /** The kind of data: 1 to 64 characters of `A-Z a-z 0-9 _ . -`. */
  domain: string;
  /** Which one of its kind: 1 to 256 bytes of UTF-8, compared byte for byte. */
  filter: string;
  /** Default "everyone". The same domain and filter with another audience is another interest. */
  audience?: Audience;
}

/** A place in the server's log, as plain JSON. */
export interface Position {
  /** Names one unbroken history. Positions of two epochs can't be compared. */
  epoch: string;
  /** Rises within an epoch. Text, since a number of JavaScript can't hold each int64. */
  sequence: string;
}

/** How far a program has come with an interest. As JSON it is the same in all languages. */
export interface SavedPosition extends Interest {
  /** Through the last event that was taken. */
  position: Position;
}

/** What the server accepts. */
export interface Limits {
  /** Interests of one stream. Those beyond it wait for room. */
  maxInterests: number;
  /** Bytes of a poke: its domain, filter and data. */
  maxPokeBytes: number;
  /** Lists and objects nested in data. */
  maxDataDepth: number;
  /** For how long pokes, idempotency keys and ends are kept, in milliseconds. */
  retentionWindow: number;
}

/** A signal. */
export interface PokeReceived {
  type: "poke";
  interest: Interest;
  /** All who listen get the same: copy it before you change it. */
  data: Data;
  /** Where the poke stands in the log: it rises from one poke of an interest to the next. */
  position: Position;
  /** When the server accepted it, by the server's clock: for people and for measurements. */
  publishTime: Date;
}

/** Why something was lost. */
export type GapReason = "unspecified" | "epoch_changed" | "evicted" | "lagged" | "backplane" | "undecodable";

/** Everything up to `position` that the program hasn't seen is lost: wait for `reloadAfter`, then reload. */
export interface GapReceived {
  type: "gap";
  interest: Interest;
  /** Why. */
  reason: GapReason;
  /** Up to where. */
  position: Position;
  /** With "lagged" alone: how many pokes were missed. */
  missedCount?: number;
  /** Milliseconds, a random part of what the server asks for, so that not all clients reload in one instant. */
  reloadAfter: number;
}

/** There is no more of the interest. The client has forgotten it. */
export interface EndedReceived {
  type: "ended";
  interest: Interest;
  /** The end's place in the log: every poke stands before it. */
  position: Position;
  /** A last word. */
  data: Data;
}

/** Why an interest is refused. */
export interface Refusal {
  type: "rejected";
  interest: Interest;
  /** Of gRPC, for example "NOT_FOUND". */
  code: string;
  /** The exact cause, from the table of errors in poke.proto. */
  reason: string;
  /** For people. */
  message: string;
  /** If not, the client asks again by itself. */
  isFinal: boolean;
}

/** The server refuses the interest, or the stream has no room for it yet. */
export interface RejectedReceived extends Refusal {
  /**
   * Says that the program deals with a final refusal by itself. Without it a loop over `pokes` throws when it is over. The
   * handler `onRejected` needs no such call.
   */
  markHandled(): void;
}

/** How an interest has started: at the head of the log, where it had stopped, or with a loss that a gap tells of. */
export type Outcome = "fresh" | "recovered" | "gap";

/** The interest is live, and was not before. */
export interface LiveReceived {
  type: "live";
  interest: Interest;
  /** Everything after it follows. */
  position: Position;
  /** How it has started. */
  outcome: Outcome;
}

/** A stream has been opened. */
export interface ConnectedReceived {
  type: "connected";
  /** Names the stream in the server's log. */
  streamId: string;
  /** What the server accepts. */
  limits: Limits;
  /** How long the server stays silent at most, in milliseconds. */
  heartbeatInterval: number;
}

/** No stream is left; the client tries again by itself. */
export interface ReconnectingReceived {
  type: "reconnecting";
  /** Why the last one is lost. */
  cause: PokeError;
  /** Milliseconds until the next attempt. */
  delay: number;
}

/** What happens to the interests of a program. */
export type PokeEvent =
  | PokeReceived
  | GapReceived
  | EndedReceived
  | RejectedReceived
  | LiveReceived
  | ConnectedReceived
  | ReconnectingReceived;
