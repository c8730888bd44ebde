import { refuse } from "./data.js";
import { PokeError, remedyOf } from "./error.js";
import { type Clock, orAborted } from "./time.js";

/** Fetches a token. The signal is aborted when nobody waits for it any more. */
export type TokenProvider = (options: { signal: AbortSignal }) => Promise<string>;

/** The tokens of a client: none, the same for ever, or from a provider. */
export class Tokens {
  #newest: { token: string; at: number } | undefined;
  #fetching: { token: Promise<string>; abort: AbortController; waiting: number } | undefined;

  readonly #source: string | TokenProvider | undefined;
  readonly #clock: Clock;

  /** @throws PokeError INVALID_ARGUMENT for what is neither text nor a function. */
  constructor(source: string | TokenProvider | undefined, clock: Clock) {
    if (!["undefined", "string", "function"].includes(typeof source)) refuse("token", "must be text or a function");
    this.#source = source;
    this.#clock = clock;
  }

  /** Whether there can be another token than the one that was refused. */
  get canRefresh(): boolean {
    return typeof this.#source === "function";
  }

  /**
   * Calls with a token, or a second time with a new one if the first is no longer accepted. A token that was fetched at or
   * before `stale` isn't used. An UNAUTHENTICATED that comes out is for good.
   */
  async authorize<T>(stale: number | undefined, signal: AbortSignal, call: (headers: Headers) => Promise<T>): Promise<T> {
    const first = bearer(await this.#get(stale, signal));
    const started = this.#clock.now();
    try {
      return await call(first);
    } catch (error) {
      if (!this.canRefresh || !(error instanceof PokeError) || remedyOf(error) !== "refreshToken") throw error;
    }
    return call(bearer(await this.#get(started, signal)));
  }

  /** All calls share one fetch. */
  async #get(stale: number | undefined, signal: AbortSignal): Promise<string | undefined> {
    if (typeof this.#source !== "function") return this.#source;
    if (this.#newest && (stale === undefined || this.#newest.at > stale)) return this.#newest.token;
    this.#fetching ??= this.#fetch(this.#source);
    const fetching = this.#fetching;
    fetching.waiting += 1;
    try {
      return await orAborted(signal, fetching.token);
    } finally {
      // Also one that hangs: the next call asks again. Others may still hope for it.
      if (this.#fetching === fetching) this.#fetching = undefined;
      fetching.waiting -= 1;
      if (fetching.waiting === 0) fetching.abort.abort();
    }
  }

  #fetch(provider: TokenProvider) {
    const abort = new AbortController();
    const fetched = async () => {
      try {
        const token = await provider({ signal: abort.signal });
        if (typeof token !== "string") throw new TypeError("the token isn't text");
        this.#newest = { token, at: this.#clock.now() };
        return token;
      } catch (cause) {
        throw new PokeError("UNAVAILABLE", "no token to be had", { cause });
      }
    };
    const token = fetched();
    // Whoever waited may be gone when it fails.
    token.catch(() => {});
    return { token, abort, waiting: 0 };
  }
}

/** @throws PokeError for a token that is no header. It isn't repeated. */
function bearer(token: string | undefined): Headers {
  try {
    return new Headers(token === undefined ? {} : { authorization: `Bearer ${token}` });
  } catch {
    throw new PokeError("INVALID_ARGUMENT", "the token can't be sent in a header");
  }
}
