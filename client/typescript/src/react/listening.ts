"use client";

import type { Handlers } from "../client.js";
import { PokeError, refusalError } from "../error.js";
import { callHandlers, warnOnce } from "../listen.js";
import type { Interest, PokeEvent, PokeReceived } from "../types.js";
import type { MulticastPokeOptions } from "./hook.js";
import type { ClientSource } from "./source.js";

/**
 * - `idle`: not started, or stopped
 * - `connecting`: started, and not live yet
 * - `live`: pokes come
 * - `reconnecting`: there is no stream at the moment, the server asks to come back later, or the stream has too many interests;
 *   the client tries again by itself, and `error` says why
 * - `ended`: there is no more of the interest
 * - `failed`: no retry can help; `error` says why
 */
export type PokeStatus = "idle" | "connecting" | "live" | "reconnecting" | "ended" | "failed";

/** What a component shows. */
export interface ListeningState {
  status: PokeStatus;
  /** The newest poke of this interest. */
  lastPoke: PokeReceived | undefined;
  /** Why it failed, or what it reconnects after. */
  error: PokeError | undefined;
}

/** What one hook listens to. It is another one whenever the client or the interest is. */
export interface Target {
  readonly source: ClientSource;
  readonly interest: Interest;
}

const IDLE: ListeningState = { status: "idle", lastPoke: undefined, error: undefined };

/**
 * The listening of one hook. To be *started* is a wish of the program, and to be *attached* to a target is up to React, which
 * can detach and attach again at will. There is something to stop exactly while both hold.
 */
export class Listening {
  /** What the program wants to hear. Set by each render that React keeps. */
  callbacks: MulticastPokeOptions & Handlers = {};
  #started = false;
  #target: Target | undefined;
  #stop: (() => void) | undefined;
  #state = IDLE;
  #stateOf: Target | undefined;
  readonly #watchers = new Set<() => void>();

  /** The state of a target; that of an earlier one is never shown for it. */
  state(target: Target): ListeningState {
    return target === this.#stateOf ? this.#state : IDLE;
  }

  /** Calls `watcher` when the state has changed. */
  watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  /** The component is there, and this is its target. Returns what takes that back. */
  attach(target: Target): () => void {
    this.#target = target;
    if (this.#started) this.#open(target);
    return () => {
      this.#target = undefined;
      this.#close();
    };
  }

  /** Listens, if it doesn't already. Before the component is there it is a wish; for a target of the past, nothing. */
  start(target: Target): void {
    if (this.#target && this.#target !== target) return;
    this.#started = true;
    if (this.#target && !this.#stop) this.#open(target);
  }

  /** Stops, if it was started. */
  stop(target: Target): void {
    if (!this.#started || (this.#target && this.#target !== target)) return;
    this.#started = false;
    this.#close();
    this.#show(target, "idle");
  }

  #open(target: Target): void {
    this.#show(target, "connecting");
    const handlers: Handlers = {
      onEvent: (event) => this.#hear(target, event),
      onError: (error) => this.#fail(target, error),
    };
    try {
      this.#stop = target.source.get().listen(target.interest, handlers, { latest: this.callbacks.latest });
    } catch (error) {
      if (!(error instanceof PokeError)) throw error;
      this.#fail(target, error);
    }
  }

  #close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #hear(target: Target, event: PokeEvent): void {
    switch (event.type) {
      case "poke":
        this.#set(target, { lastPoke: event });
        break;
      case "live":
        this.#show(target, "live");
        break;
      case "reconnecting":
        this.#show(target, "reconnecting", event.cause);
        break;
      case "rejected":
        // A final one that the program doesn't handle comes as an error next.
        if (!event.isFinal) this.#show(target, "reconnecting", refusalError(event));
        else if (this.callbacks.onRejected) this.#over(target, "failed", refusalError(event));
        break;
      case "ended":
        this.#over(target, "ended");
    }
    callHandlers(event, this.callbacks);
  }

  /** Nothing follows: it can only be started anew. */
  #over(target: Target, status: PokeStatus, error?: PokeError): void {
    this.#started = false;
    this.#stop = undefined;
    this.#show(target, status, error);
  }

  /** Fails for an error that no handler of the program has heard. A status alone is easily overlooked. */
  #fail(target: Target, error: PokeError): void {
    this.#over(target, "failed", error);
    if (this.callbacks.onError) this.callbacks.onError(error);
    else warnOnce(target.source, error);
  }

  #show(target: Target, status: PokeStatus, error?: PokeError): void {
    this.#set(target, { status, error });
  }

  #set(target: Target, change: Partial<ListeningState>): void {
    this.#state = { ...this.state(target), ...change };
    this.#stateOf = target;
    for (const watcher of this.#watchers) watcher();
  }
}
