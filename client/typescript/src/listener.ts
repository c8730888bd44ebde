import { type PokeError, refusalError } from "./error.js";
import type { Held, Notice } from "./interests.js";
import type { PokeEvent, Refusal, RejectedReceived } from "./types.js";

/** A notice and how many listeners have yet to take it. */
export interface Letter {
  readonly notice: Notice;
  waiting: number;
}

/** One who listens to some interests: what waits for it, in order. */
export class Listener {
  /** Nothing more will come. There may be something left to take. */
  isOver = false;
  #isStopped = false;
  readonly #queue: Letter[] = [];
  /** Final refusals that the program has taken and not handled. */
  readonly #refusals = new Set<Refusal>();

  readonly #wake: () => void;
  readonly #taken: () => void;

  /**
   * @param held what it listens to, less what is over
   * @param wake something has come, or it is over
   * @param taken it has taken something
   */
  constructor(
    readonly held: Set<Held>,
    wake: () => void,
    taken: () => void,
  ) {
    this.#wake = wake;
    this.#taken = taken;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** There is nothing left to take, and nothing will come. */
  get isExhausted(): boolean {
    return this.isOver && this.#queue.length === 0 && this.#refusals.size === 0;
  }

  offer(letter: Letter): void {
    const { event, error, held } = letter.notice;
    if (held && !this.held.has(held)) return;
    letter.waiting += 1;
    const last = this.#queue.at(-1);
    if (last && supersedes(letter.notice, last.notice)) this.#queue.pop();
    this.#queue.push(letter);
    const isLast = event?.type === "ended" || (event?.type === "rejected" && event.isFinal);
    if (held && isLast) this.held.delete(held);
    if (error) this.held.clear();
    this.isOver ||= this.held.size === 0;
    this.#wake();
  }

  /** The next event, or the error that is the last: that of the stream, or of what was refused and not handled. */
  take(): { event?: PokeEvent; error?: PokeError } | undefined {
    for (let letter = this.#queue.shift(); letter; letter = this.#queue.shift()) {
      settle(letter);
      this.#taken();
      const { event, error } = letter.notice;
      if (error) {
        this.#refusals.clear();
        return { error };
      }
      if (event) return { event: event.type === "rejected" ? this.#own(event) : event };
    }
    const error = this.isOver ? this.takeRefusals() : undefined;
    return error && { error };
  }

  /** The error of the final refusals that the program has taken and not handled, once. */
  takeRefusals(): PokeError | undefined {
    const [first, ...others] = this.#refusals;
    this.#refusals.clear();
    return first && refusalError(first, ...others);
  }

  /** A refusal that this listener can handle. It stays plain JSON. */
  #own(refusal: Refusal): RejectedReceived {
    if (refusal.isFinal) this.#refusals.add(refusal);
    const markHandled = () => void this.#refusals.delete(refusal);
    return Object.defineProperty({ ...refusal, markHandled }, "markHandled", { enumerable: false });
  }

  /** Drops what waits. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.isOver = true;
    this.#queue.splice(0).forEach(settle);
    this.#refusals.clear();
    this.#wake();
  }
}

/**
 * Nobody needs the older one of two that wait in a row: an idle or a lost stream must neither fill memory nor look like a
 * reader that is behind. It isn't settled, since what waits before it isn't taken.
 */
function supersedes(newer: Notice, older: Notice): boolean {
  const areAlike = newer.event?.type === older.event?.type && !newer.error && !older.error;
  return areAlike && (newer.event === undefined || newer.event.type === "reconnecting");
}

/** Somebody has it, or nobody wants it any more: through the last one its positions are taken. */
export function settle(letter: Letter): void {
  letter.waiting -= 1;
  if (letter.waiting > 0) return;
  for (const [held, position] of letter.notice.saves ?? []) held.taken = position;
}
