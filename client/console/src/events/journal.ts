import type { Interest, PokeError, PokeEvent } from "multicast-poke";
import { Store } from "../store.js";

/** Events that are kept; the oldest go first. */
export const KEPT = 500;

/** What the log can hold. */
export type Event = PokeEvent | { type: "failed"; error: PokeError };

/** Which interest an event is about; nothing if it concerns them all. */
export function interestOf(event: Event): Interest | undefined {
  return "interest" in event ? event.interest : undefined;
}

/** One line of the log. */
export interface Entry {
  id: number;
  /** When it came. */
  at: Date;
  event: Event;
}

/** What a journal shows. */
export interface Shown {
  /** The newest first. */
  entries: readonly Entry[];
  /** How many have come in all. */
  total: number;
  /** How many came since it was paused; `undefined` if it isn't. */
  waiting: number | undefined;
}

/** What has happened, the newest first: shown anew at most once a frame, and not at all while it is paused. */
export class Journal {
  readonly shown = new Store<Shown>({ entries: [], total: 0, waiting: undefined });
  #entries: Entry[] = [];
  #total = 0;
  #pausedAt: number | undefined;
  #isDue = false;
  readonly #schedule: (show: () => void) => void;

  constructor(schedule: (show: () => void) => void = (show) => setTimeout(show, 100)) {
    this.#schedule = schedule;
  }

  add(event: Event, at = new Date()): void {
    this.#total += 1;
    this.#entries.unshift({ id: this.#total, at, event });
    if (this.#entries.length > KEPT) this.#entries.length = KEPT;
    if (this.#isDue) return;
    this.#isDue = true;
    this.#schedule(() => this.#show());
  }

  /** What comes is kept, and shown later. */
  pause(): void {
    this.#pausedAt = this.#total;
    this.#show();
  }

  resume(): void {
    this.#pausedAt = undefined;
    this.#show();
  }

  clear(): void {
    this.#entries = [];
    this.#total = 0;
    if (this.#pausedAt !== undefined) this.#pausedAt = 0;
    this.shown.value = { entries: [], total: 0, waiting: this.#pausedAt === undefined ? undefined : 0 };
  }

  #show(): void {
    this.#isDue = false;
    const total = this.#total;
    this.shown.value =
      this.#pausedAt === undefined
        ? { entries: [...this.#entries], total, waiting: undefined }
        : { ...this.shown.value, waiting: total - this.#pausedAt };
  }
}
