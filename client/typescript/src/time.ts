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

const onAborted = new WeakMap<object, Set<() => void>>();

function callAll({ target }: Event): void {
  for (const callback of onAborted.get(target as AbortSignal) ?? []) callback();
}

/**
 * Calls back when the signal is aborted, until the returned function is called. All callbacks of a signal share one listener,
 * since Node takes more than ten of them for a leak and warns.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = onAborted.get(signal) ?? new Set();
  onAborted.set(signal, callbacks.add(callback));
  // The same function is added once.
  signal.addEventListener("abort", callAll);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) signal.removeEventListener("abort", callAll);
  };
}

/**
 * What `run` makes; or CANCELLED when one of `outer` is aborted, or DEADLINE_EXCEEDED after `patience` milliseconds. In the
 * end its signal is aborted, so that nothing goes on.
 */
export function within<T>(
  outer: (AbortSignal | undefined)[],
  patience: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let undo: (() => void)[] = [];
  return new Promise<T>((resolve, reject) => {
    const cancel = () => reject(canceled());
    const expire = () => reject(new PokeError("DEADLINE_EXCEEDED", "no answer in time"));
    if (patience < Number.POSITIVE_INFINITY) timer = setTimeout(expire, patience);
    undo = outer.map((signal) => (signal ? onAbort(signal, cancel) : () => {}));
    if (outer.some((signal) => signal?.aborted)) cancel();
    else run(controller.signal).then(resolve, reject);
  }).finally(() => {
    for (const step of undo) step();
    clearTimeout(timer);
    controller.abort();
  });
}

/** The promise; or CANCELLED when the signal is aborted. */
export function orAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return within([signal], Number.POSITIVE_INFINITY, () => promise);
}

/** Waits for so many milliseconds, unless the signal is aborted. */
export function sleep(delay: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delay);
  });
  return orAborted(signal, end).finally(() => clearTimeout(timer));
}
