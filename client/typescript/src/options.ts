import type { PokeError } from "./error.js";
import type { TokenProvider } from "./token.js";
import type {
  ConnectedReceived,
  EndedReceived,
  GapReceived,
  Interest,
  LiveReceived,
  PokeEvent,
  PokeReceived,
  Position,
  ReconnectingReceived,
  RejectedReceived,
  SavedPosition,
  Sendable,
} from "./types.js";

/** How a client is set up, whatever carries its calls. */
export interface ClientOptions {
  /** Sent as `authorization: Bearer`: an API key or a JWT, or a function that fetches one. */
  token?: string | TokenProvider | undefined;
  /** Events that wait for a slow reader, at least 1; then the server has to wait. Default 64. */
  eventBuffer?: number | undefined;
}

/** How a program listens. */
export interface ListenOptions {
  /** Stops listening. */
  signal?: AbortSignal | undefined;
  /** Start with the newest poke that the server keeps. It counts for the first who listens to an interest. */
  latest?: boolean | undefined;
  /** Go on where an earlier process has stopped: what `positions()` said there, or null. It counts for the first, as `latest`. */
  positions?: readonly SavedPosition[] | null | undefined;
}

/** What a program does about each event. */
export interface Handlers {
  onPoke?: ((poke: PokeReceived) => void) | undefined;
  onGap?: ((gap: GapReceived) => void) | undefined;
  onEnded?: ((ended: EndedReceived) => void) | undefined;
  /** A program that gives it deals with final rejections by itself: `onError` isn't called for them. */
  onRejected?: ((rejected: RejectedReceived) => void) | undefined;
  onLive?: ((live: LiveReceived) => void) | undefined;
  onConnected?: ((connected: ConnectedReceived) => void) | undefined;
  onReconnecting?: ((reconnecting: ReconnectingReceived) => void) | undefined;
  /** No retry can heal this; nothing follows. Without this handler the console is warned. */
  onError?: ((error: PokeError) => void) | undefined;
  /** Each event, after its own handler. */
  onEvent?: ((event: PokeEvent) => void) | undefined;
}

/** One poke to send. */
export interface Publish extends Pick<Interest, "domain" | "filter"> {
  /** Left out or `undefined`, text, or any JSON. */
  data?: Sendable;
  /** Send it to this customer alone. */
  customerId?: string | undefined;
  /** Makes retries safe: 1 to 128 printable ASCII characters. By default 128 random bits. */
  idempotencyKey?: string | undefined;
}

/** How long a program waits for an answer. */
export interface CallOptions {
  /** Gives up: the call fails with CANCELLED. */
  signal?: AbortSignal | undefined;
  /** Milliseconds in all, retries included. Default 10,000. */
  deadline?: number | undefined;
}

/** The poke is accepted. */
export interface Published {
  /** Where the poke stands in the log. */
  position: Position;
  /** How many streams held the interest on the answering node: for people, never for decisions. */
  localReceiverCount?: number;
  /** The idempotency key had been used before: nothing was sent again. */
  duplicate: boolean;
}

/** The interest has ended. */
export interface InterestEnd {
  /** The end's place in the log: every poke stands before it. */
  position: Position;
}
