import type { Transport } from "@connectrpc/connect";
import type { PokeError } from "./error.js";
import type {
  ConnectedReceived,
  Data,
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
} from "./types.js";

/** Where tokens come from. It is asked before the first call, and when the server wants another. */
export type TokenProvider = (options: { signal: AbortSignal }) => Promise<string>;

/** How a client is set up, whatever carries its calls. */
export interface ClientOptions {
  /** Sent as `authorization: Bearer`: an API key or a JWT, or a function that fetches one. */
  token?: string | TokenProvider | undefined;
  /** Events that wait for a slow reader, at least 1; then the server has to wait. Default 64. */
  eventBuffer?: number | undefined;
}

/** One connection, or what stands for it where the platform has a pool of its own. */
export interface Connection {
  readonly transport: Transport;
  /** No new call will use this connection; those on it go on. */
  retire?(): void;
}

/** How a program listens. */
export interface ListenOptions {
  /** Stops listening. */
  signal?: AbortSignal | undefined;
  /** Start with the newest poke that the server keeps. */
  latest?: boolean | undefined;
  /** Go on where an earlier process has stopped: what {@link PokeClient.positions} said there. */
  positions?: SavedPosition[] | undefined;
}

/** What a program does about each event. */
export interface Handlers {
  onPoke?: ((poke: PokeReceived) => void) | undefined;
  onGap?: ((gap: GapReceived) => void) | undefined;
  onEnded?: ((ended: EndedReceived) => void) | undefined;
  onRejected?: ((rejected: RejectedReceived) => void) | undefined;
  onLive?: ((live: LiveReceived) => void) | undefined;
  onConnected?: ((connected: ConnectedReceived) => void) | undefined;
  onReconnecting?: ((reconnecting: ReconnectingReceived) => void) | undefined;
  /** No retry can heal this; nothing follows. */
  onError?: ((error: PokeError) => void) | undefined;
  /** Each event, after its own handler. */
  onEvent?: ((event: PokeEvent) => void) | undefined;
}

/** One poke to send. */
export interface Publish extends Pick<Interest, "domain" | "filter"> {
  /** Left out or `undefined`, text, or any JSON. */
  data?: Data;
  /** Send it to this customer alone. */
  customerId?: string | undefined;
  /** Makes retries safe: 1 to 128 printable ASCII characters. By default 128 random bits. */
  idempotencyKey?: string | undefined;
}

/** How long a program waits for an answer. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds in all, retries included. Default 10,000. */
  deadline?: number | undefined;
}

/** The poke is accepted. */
export interface Published {
  position: Position;
  /** How many streams held the interest on the answering node: for people, never for decisions. */
  localReceiverCount?: number;
  /** The idempotency key had been used before: nothing was sent again. */
  duplicate: boolean;
}

/** The interest has ended. */
export interface InterestEnd {
  position: Position;
}

/**
 * A client of a Multicast Poke service. All its interests share one stream, which is there as long as somebody listens.
 *
 * Make one by `createClient` of "multicast-poke/web" or "multicast-poke/node".
 */
export class PokeClient {
  readonly options: ClientOptions;

  /** @param connect opens a connection: called before the first call, and whenever the last one was retired. */
  constructor(_connect: () => Connection, options: ClientOptions = {}) {
    this.options = options;
  }

  /**
   * Listens, as an async iterable. It ends when each of its interests has ended or was finally rejected, and throws a
   * {@link PokeError} when no retry can help. Leaving the loop stops listening. Nothing starts before the first `next`.
   */
  pokes(_interests: Interest | Interest[], _options: ListenOptions = {}): AsyncIterable<PokeEvent> {
    throw new Error("not yet");
  }

  /** Listens, by callbacks. Returns what stops it; it can be called twice. */
  listen(_interests: Interest | Interest[], _handlers: Handlers, _options: ListenOptions = {}): () => void {
    throw new Error("not yet");
  }

  /** The position of each interest, through the last event that the program has taken. */
  positions(): SavedPosition[] {
    throw new Error("not yet");
  }

  /** Sends one poke. It is tried again under one key until the server has answered or the deadline has passed. */
  publish(_poke: Publish, _options: CallOptions = {}): Promise<Published> {
    throw new Error("not yet");
  }

  /** Tells everyone who listens that there is no more of an interest. Repeats answer with the first position. */
  endInterest(_end: Publish, _options: CallOptions = {}): Promise<InterestEnd> {
    throw new Error("not yet");
  }

  /** Cancels everything. Iterators end; calls fail with CANCELLED. */
  close(): void {}
}
