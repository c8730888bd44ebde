import { PokeError } from "./error.js";
import { GLANCE } from "./numbers.js";

/** A difference between two clocks that is no sleep. */
const DRIFT = 1000;

/**
 * Milliseconds that go on while the device sleeps. Monotonic clocks mostly stand still then, and the clock on the wall is
 * changed by people: so it is the monotonic one, plus what the other has leapt ahead.
 */
export class Clock {
  #slept = 0;
  #lead = Date.now() - performance.now();

  now(): number {
    const [wall, awake] = [Date.now(), performance.now()];
    const leapt = wall - awake - this.#lead;
    if (leapt > DRIFT) this.#slept += leapt;
    this.#lead = wall - awake;
    return awake + this.#slept;
  }
}

/** Rings once a time has come. It looks at the clock now and then, since timers stand still in sleep. */
export class Alarm {
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly #clock: Clock;
  readonly #ring: () => void;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** In place of the last one. Infinity: never. */
  set(at: number): void {
    clearTimeout(this.#timer);
    if (at === Number.POSITIVE_INFINITY) return;
    const left = Math.max(0, Math.min(at - this.#clock.now(), GLANCE));
    this.#timer = setTimeout(() => (this.#clock.now() >= at ? this.#ring() : this.set(at)), left);
  }
}

/** The program itself has given up. */
export function canceled(): PokeError {
  return new PokeError("CANCELLED", "the program has cancelled this");
}

/**
 * What `run` makes, or what the signal is aborted with: by one of `outer`, which is CANCELLED, or after `patience`
 * milliseconds, which is DEADLINE_EXCEEDED. In the end the signal is aborted, so that nothing goes on.
 */
export async function within<T>(
  outer: (AbortSignal | undefined)[],
  patience: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const cancel = () => controller.abort(canceled());
  const expire = () => controller.abort(new PokeError("DEADLINE_EXCEEDED", "no answer in time"));
  const timer = patience === Number.POSITIVE_INFINITY ? undefined : setTimeout(expire, patience);
  for (const one of outer) one?.addEventListener("abort", cancel);
  if (outer.some((one) => one?.aborted)) cancel();
  try {
    return await orAborted(signal, run(signal));
  } finally {
    for (const one of outer) one?.removeEventListener("abort", cancel);
    clearTimeout(timer);
    cancel();
  }
}

/** The promise, or why the signal was aborted. */
export function orAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Waits for so many milliseconds, unless the signal is aborted. */
export async function sleep(delay: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delay);
  });
  await orAborted(signal, end).finally(() => clearTimeout(timer));
}
