import type { PokeError } from "./error.js";
import type { Listener } from "./listener.js";
import type { Handlers } from "./options.js";
import type { PokeEvent } from "./types.js";

/** Starts to listen. `leave` ends that, and may be called twice. */
export type Subscribe = (wake: () => void) => { listener: Listener; leave: () => void };

interface Waiting {
  resolve(result: IteratorResult<PokeEvent, undefined>): void;
  reject(error: unknown): void;
}

/** One loop over the events. Written out, as `return` of a generator waits until the `next` before it has an event. */
export class PokeIterator implements AsyncIterator<PokeEvent, undefined> {
  #subscription: ReturnType<Subscribe> | undefined;
  #isDone = false;
  readonly #waiting: Waiting[] = [];

  readonly #subscribe: Subscribe;

  constructor(subscribe: Subscribe) {
    this.#subscribe = subscribe;
  }

  next(): Promise<IteratorResult<PokeEvent, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#hand();
    });
  }

  return(): Promise<IteratorResult<PokeEvent, undefined>> {
    this.#finish();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Hands what has come to those who wait for it. */
  #hand(): void {
    try {
      if (!this.#isDone) this.#subscription ??= this.#subscribe(() => this.#subscription && this.#hand());
    } catch (error) {
      this.#waiting.shift()?.reject(error);
      this.#finish();
    }
    while (this.#subscription && this.#waiting.length > 0) {
      const { event, error } = this.#subscription.listener.take() ?? {};
      if (event) this.#waiting.shift()?.resolve({ done: false, value: event });
      else if (error) this.#waiting.shift()?.reject(error);
      if (!event) break;
    }
    // A loop asks for nothing more after an error.
    if (this.#isDone || this.#subscription?.listener.isExhausted) this.#finish();
  }

  #finish(): void {
    this.#isDone = true;
    this.#subscription?.leave();
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }
}

/** Calls the handlers, and warns of errors that none of them hears. Returns what stops that. */
export function toHandlers(client: object, subscribe: Subscribe, handlers: Handlers): () => void {
  let isDue = false;
  const { listener, leave } = subscribe(() => {
    if (!isDue) queueMicrotask(drain);
    isDue = true;
  });
  function drain(): void {
    isDue = false;
    for (let taken = listener.take(); taken; taken = listener.take()) {
      if (taken.event) callHandlers(taken.event, handlers);
      // Other interests may go on for ever: whoever doesn't listen to errors is warned now.
      const error = taken.error ?? (handlers.onError ? undefined : listener.takeRefusals());
      if (error && handlers.onError) shield(() => handlers.onError?.(error));
      else if (error) warnOnce(client, error);
    }
    if (listener.isOver) leave();
  }
  return leave;
}

/** Calls the handler of this type of event, and the one of every event. */
export function callHandlers(event: PokeEvent, handlers: Handlers): void {
  shield(() => {
    switch (event.type) {
      case "poke":
        return handlers.onPoke?.(event);
      case "gap":
        return handlers.onGap?.(event);
      case "ended":
        return handlers.onEnded?.(event);
      case "rejected":
        if (handlers.onRejected) event.markHandled();
        return handlers.onRejected?.(event);
      case "live":
        return handlers.onLive?.(event);
      case "connected":
        return handlers.onConnected?.(event);
      case "reconnecting":
        return handlers.onReconnecting?.(event);
    }
  });
  shield(() => handlers.onEvent?.(event));
}

/** Most warnings of a client: nobody reads more of them. */
const MAX_WARNINGS = 100;

const warnings = new WeakMap<object, Set<string>>();

/** Warns on the console of an error that the program doesn't listen to, once for each client, interest and reason. */
export function warnOnce(client: object, { code, reason, message }: PokeError): void {
  const given = warnings.get(client) ?? new Set();
  const text = `Multicast Poke: ${message} (${reason ?? code})`;
  if (given.has(text) || given.size >= MAX_WARNINGS) return;
  warnings.set(client, given.add(text));
  console.warn(text);
}

/** What the program throws is for the program's own handler of uncaught errors. */
function shield(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
