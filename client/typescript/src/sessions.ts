import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { CONNECT_WITHIN } from "./numbers.js";

/**
 * What a peer may send ahead of its reader, in bytes for each stream: enough for the largest event. Of the connection's window
 * Node gives back what has come, read or not, so that one slow reader doesn't use it up.
 */
const STREAM_WINDOW = 256 * 1024;

/**
 * The HTTP/2 connections to one server: one, and another whenever each has as many streams open as its peer takes. Node itself
 * would let a call wait there for as long as the others last.
 */
export class Sessions {
  readonly #all = new Set<Session>();

  readonly #origin: string;
  readonly #options: SecureClientSessionOptions;

  constructor(origin: string, options: SecureClientSessionOptions) {
    this.#origin = origin;
    this.#options = options;
  }

  /** Opens a stream, on a new connection if there is no room. Fails when that can't be opened. */
  async request(headers: OutgoingHttpHeaders): Promise<ClientHttp2Stream> {
    for (;;) {
      const all = [...this.#all];
      const session = all.find(({ hasRoom }) => hasRoom);
      if (session) return session.request(headers, () => this.#closeSurplus(session));
      // All who find no room at the same time wait for the same connection.
      await (all.find(({ isGrowing }) => isGrowing) ?? this.#connect()).grown();
    }
  }

  close(): void {
    for (const session of this.#all) session.destroy();
  }

  #connect(): Session {
    const session = new Session(this.#origin, this.#options, () => this.#all.delete(session));
    this.#all.add(session);
    return session;
  }

  /** A connection that was needed for a while ends when it is idle. */
  #closeSurplus(idle: Session): void {
    const isNeeded = [...this.#all].every((session) => session === idle || !session.hasRoom);
    if (!isNeeded && !idle.isGrowing) idle.close();
  }
}

/** One HTTP/2 connection, and how many streams it has and takes. */
class Session {
  readonly #http2: ClientHttp2Session;
  #streams = 0;
  /** How many streams it takes: one until its peer has said that, since others might have to wait. */
  #limit = 0;
  /** Its peer has said how many streams it takes. */
  #isSettled = false;
  #failure = new Error("the connection was closed");
  readonly #waiting: { resolve(): void; reject(error: Error): void }[] = [];

  /** @param onClose it is over, with all of its streams */
  constructor(origin: string, options: SecureClientSessionOptions, onClose: () => void) {
    const session = http2.connect(origin, { ...options, settings: { initialWindowSize: STREAM_WINDOW } });
    this.#http2 = session;
    const timer = setTimeout(() => session.destroy(new Error("the connection took too long")), CONNECT_WITHIN);
    session.once("connect", () => {
      clearTimeout(timer);
      session.unref();
      this.#grow(1);
    });
    session.on("remoteSettings", ({ maxConcurrentStreams = Number.POSITIVE_INFINITY }) => {
      this.#isSettled = true;
      // A call that has to wait wherever it goes had better wait here than open one connection after the other.
      this.#grow(Math.max(1, maxConcurrentStreams));
    });
    session.on("error", (error) => {
      this.#failure = error;
    });
    session.once("close", () => {
      clearTimeout(timer);
      onClose();
      for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    });
  }

  get hasRoom(): boolean {
    return this.#isOpen && this.#streams < this.#limit;
  }

  /** It may soon have more room, though no stream ends. */
  get isGrowing(): boolean {
    return this.#isOpen && !this.#isSettled;
  }

  /** Resolves once it takes more streams. Fails if it ends before. */
  grown(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /**
   * Opens a stream. As long as there is one the process is kept alive.
   *
   * @param onIdle no stream is left
   */
  request(headers: OutgoingHttpHeaders, onIdle: () => void): ClientHttp2Stream {
    const stream = this.#http2.request(headers);
    this.#streams += 1;
    this.#http2.ref();
    stream.once("close", () => {
      this.#streams -= 1;
      if (this.#streams > 0) return;
      this.#http2.unref();
      onIdle();
    });
    return stream;
  }

  /** Ends it after its last stream. */
  close(): void {
    this.#http2.close();
  }

  /** Ends it, with all of its streams. */
  destroy(): void {
    this.#http2.destroy();
  }

  get #isOpen(): boolean {
    return !this.#http2.closed && !this.#http2.destroyed;
  }

  #grow(limit: number): void {
    this.#limit = limit;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }
}
