import { BACKOFF_MAX, BACKOFF_MIN } from "./numbers.js";

/** A uniformly random part of a bound. Tests load the dice. */
export type Dice = (bound: number) => number;

export const fairDice: Dice = (bound) => Math.random() * bound;

/** Full jitter below a bound that doubles. */
export class Backoff {
  #failures = 0;

  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** The wait before the next attempt. */
  next(largest = BACKOFF_MAX): number {
    return this.#dice(Math.min(BACKOFF_MIN * 2 ** this.#failures++, largest));
  }

  /** As `next`, with little time left: a wait takes half of it at most, as long as that isn't less than the first bound. */
  nextBefore(left: number): number {
    return this.next(Math.min(Math.max(left / 2, BACKOFF_MIN), BACKOFF_MAX));
  }

  /** As `next`, but the first wait of a row is below `spread`. */
  nextSpread(spread: number): number {
    if (this.#failures > 0) return this.next();
    this.#failures = 1;
    return this.#dice(spread);
  }

  reset(): void {
    this.#failures = 0;
  }
}
