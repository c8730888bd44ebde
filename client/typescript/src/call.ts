import { Backoff, type Dice } from "./backoff.js";
import { type Held, keyOf } from "./interests.js";
import { PROVED_AFTER, WELCOME_WITHIN } from "./numbers.js";
import type { Interest, LiveReceived } from "./types.js";

/** One Subscribe, as the state sees it. A later call has a higher `id`. Times are those of the client's clock. */
export class Call {
  /** What it has not answered yet, the gap included if it has said that one comes, and somebody waits for. */
  readonly pending: Set<string>;
  /** Since its welcome: how far the first retry is spread. */
  reconnectSpread: number | undefined;
  /** The server has asked to move, at this time. */
  moveAt: number | undefined;
  #closesAt: number | undefined;
  #silenceAllowed = WELCOME_WITHIN;
  #liveSince: number | undefined;
  /** The calls that were to replace it and failed. */
  readonly #failedMoves: Backoff;
  /** The keys of all interests in its request. */
  readonly #asked: Set<string>;
  #lastLife: number;

  /** @param carried what it was asked for, less what is over. */
  constructor(
    readonly id: number,
    readonly carried: Map<string, Held>,
    lastLife: number,
    dice: Dice,
  ) {
    this.#lastLife = lastLife;
    this.#asked = new Set(carried.keys());
    this.pending = new Set(this.#asked);
    this.#failedMoves = new Backoff(dice);
  }

  welcome(heartbeatInterval: number, reconnectSpread: number): void {
    this.#silenceAllowed = 2.5 * heartbeatInterval;
    this.reconnectSpread = reconnectSpread;
  }

  /** An interest is live. If it has lost something, its gap comes next. Answers what was asked for under this name. */
  live({ interest, outcome }: LiveReceived, now: number): Held | undefined {
    const held = this.carried.get(keyOf(interest));
    if (held && outcome !== "gap") this.pending.delete(held.key);
    if (held) this.#liveSince ??= now;
    return held;
  }

  /** How many interests its request had. */
  get size(): number {
    return this.#asked.size;
  }

  /** Returns true if the call delivers this interest, or has yet to answer it. */
  serves(held: Held): boolean {
    return this.carried.get(held.key) === held && (held.owner !== undefined || this.pending.has(held.key));
  }

  /** The server has no more of this interest on this call. */
  forgo(key: string): void {
    this.pending.delete(key);
    this.carried.delete(key);
  }

  /** The interest that the server means. It cuts a malformed one to its limits before it sends it back. */
  meant(named: Interest): Held | undefined {
    const key = keyOf(named);
    if (this.#asked.has(key)) return this.carried.get(key);
    const isMeant = ({ domain, filter }: Interest) => domain.startsWith(named.domain) && filter.startsWith(named.filter);
    for (const key of this.pending) {
      const candidate = this.carried.get(key);
      if (candidate && isMeant(candidate.interest)) return candidate;
    }
    return undefined;
  }

  /** Each of its interests is answered, and the position from which on it is delivered is known. */
  get isSettled(): boolean {
    return this.reconnectSpread !== undefined && this.pending.size === 0;
  }

  /** The server asks to move, and closes the call later on. The earliest of several such requests holds. */
  mustMove(moveAt: number, closesAt: number | undefined): void {
    this.moveAt = Math.min(this.moveAt ?? Number.POSITIVE_INFINITY, moveAt);
    if (closesAt !== undefined) this.#closesAt = Math.min(this.#closesAt ?? Number.POSITIVE_INFINITY, closesAt);
  }

  /** How long to wait with the next attempt to replace this call, after one has failed. */
  moveAgainAfter(now: number): number {
    const left = (this.#closesAt ?? -1) - now;
    return left >= 0 ? this.#failedMoves.nextBefore(left) : this.#failedMoves.next();
  }

  /** It has been live for long enough. */
  isProved(now: number): boolean {
    return this.#liveSince !== undefined && now >= this.#liveSince + PROVED_AFTER;
  }

  /** A message came, or the reader is back after a pause. Answers whether that was in time. */
  lives(now: number): boolean {
    const silence = now - this.#lastLife;
    this.#lastLife = now;
    return silence <= this.#silenceAllowed;
  }

  /** From when on it counts as lost. */
  lostAt(doublings: number): number {
    return this.#lastLife + this.#silenceAllowed * 2 ** doublings;
  }
}
