import type { PokeError } from "./error.js";
import type { Held, Notice } from "./interests.js";
import type { PokeEvent } from "./types.js";

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

  /** The next event, or the error that is the last. */
  take(): { event?: PokeEvent; error?: PokeError } | undefined {
    for (let letter = this.#queue.shift(); letter; letter = this.#queue.shift()) {
      settle(letter);
      this.#taken();
      if (letter.notice.event || letter.notice.error) return letter.notice;
    }
    return undefined;
  }

  /** Drops what waits. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.isOver = true;
    this.#queue.splice(0).forEach(settle);
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
