import { fairDice } from "./backoff.js";
import type { Connections, Line } from "./connection.js";
import { PokeError, remedyOf } from "./error.js";
import { PokeService } from "./gen/poke/v1/poke_pb.js";
import type { Notice, Start } from "./interests.js";
import { Listener, settle } from "./listener.js";
import { toMessage } from "./message.js";
import { type Action, State } from "./state.js";
import { Alarm, type Clock } from "./time.js";
import type { Tokens } from "./token.js";
import type { Interest, SavedPosition } from "./types.js";

/** What a device knows of itself. */
export interface Device {
  /** It says that it has no network. */
  isOffline(): boolean;
  /** Calls back when it may have slept, or has a network again, until that is undone. */
  onWake(wake: () => void): () => void;
}

/** The one stream of a client: it carries events to the {@link State}, does what comes out, and tells the listeners. */
export class Stream {
  readonly #state = new State(fairDice);
  readonly #listeners = new Set<Listener>();
  readonly #calls = new Map<number, { abort: AbortController; line: Line }>();
  readonly #alarm: Alarm;
  #stopWatching: (() => void) | undefined;
  /** Wakes the calls that wait until messages are read again. */
  #resume = () => {};
  #resumed = Promise.resolve();

  readonly #clock: Clock;
  readonly #connections: Connections;
  readonly #tokens: Tokens;
  readonly #eventBuffer: number;
  readonly #device: Device | undefined;

  constructor(clock: Clock, connections: Connections, tokens: Tokens, eventBuffer: number, device: Device | undefined) {
    this.#clock = clock;
    this.#connections = connections;
    this.#tokens = tokens;
    this.#eventBuffer = eventBuffer;
    this.#device = device;
    this.#alarm = new Alarm(clock, () => this.#turn());
  }

  listen(interests: [Interest, Start][], wake: () => void): Listener {
    const held = new Set(this.#state.add(this.#clock.now(), interests));
    const listener = new Listener(held, wake, () => this.#readAgain());
    this.#listeners.add(listener);
    for (const one of held) {
      // Whoever is the first hears it from the state.
      if (one.surplus && one.holders > 1) listener.offer({ notice: { event: one.surplus, held: one }, waiting: 0 });
      const position = one.awaitsGap ? one.liveFrom : one.start.after;
      if (one.owner === undefined || !position) continue;
      const event = { type: "live", interest: one.interest, position, outcome: "fresh" } as const;
      listener.offer({ notice: { event, held: one }, waiting: 0 });
    }
    this.#stopWatching ??= this.#device?.onWake(() => this.#hurry());
    this.#turn();
    return listener;
  }

  /** The listener leaves, with all that it listens to. */
  leave(listener: Listener): void {
    listener.stop();
    if (this.#listeners.delete(listener)) {
      for (const held of listener.held) this.#state.remove(this.#clock.now(), held);
      this.#turn();
    }
  }

  positions(): SavedPosition[] {
    const all = [...this.#state.interests.values()];
    return all.flatMap(({ interest, taken }) => (taken ? [{ ...interest, position: { ...taken } }] : []));
  }

  close(): void {
    for (const listener of this.#listeners) listener.stop();
    this.#listeners.clear();
    this.#state.closeAll();
    this.#turn();
  }

  /** What was lost meanwhile is seen first, and then not waited for. */
  #hurry(): void {
    this.#turn();
    this.#state.hurry(this.#clock.now());
    this.#turn();
  }

  /** Does what is due, and tells what has happened: after whatever may have changed the state. */
  #turn(): void {
    const now = this.#clock.now();
    this.#state.isOffline = this.#device?.isOffline() ?? false;
    this.#state.onTime(now);
    for (const action of this.#state.takeActions()) this.#do(action);
    for (const notice of this.#state.takeNotices()) this.#tell(notice);
    this.#setReading(now);
    this.#alarm.set(this.#state.deadline());
    if (this.#listeners.size > 0) return;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  #do(action: Action): void {
    const call = this.#calls.get(action.id);
    if (action.type === "open") {
      void this.#carry(action);
    } else if (call && action.type === "retire") {
      this.#connections.retire(call.line);
    } else if (call) {
      this.#calls.delete(action.id);
      call.abort.abort();
    }
  }

  #tell(notice: Notice): void {
    const letter = { notice, waiting: 1 };
    for (const listener of this.#listeners) {
      listener.offer(letter);
      if (listener.isOver) this.#listeners.delete(listener);
    }
    settle(letter);
  }

  /** Nobody reads while one of the listeners is behind, so that the server waits. */
  #setReading(now: number): void {
    const isReading = [...this.#listeners].every(({ waiting }) => waiting < this.#eventBuffer);
    if (isReading === this.#state.isReading) return;
    this.#state.setReading(now, isReading);
    this.#resume();
    if (isReading) return;
    this.#resumed = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  #readAgain(): void {
    if (!this.#state.isReading) this.#turn();
  }

  /** One call, from its first attempt to its end. */
  async #carry({ id, request, staleToken }: Action & { type: "open" }): Promise<void> {
    const abort = new AbortController();
    const line = this.#connections.take();
    this.#calls.set(id, { abort, line });
    const { signal } = abort;
    let isOpen = false;
    try {
      // Some servers refuse a call only with the first event.
      const [first, messages] = await this.#tokens.authorize(staleToken, signal, async (headers) => {
        const wire = line.connection.wire(PokeService.method.subscribe, request, headers, signal);
        const messages = wire[Symbol.asyncIterator]();
        return [await messages.next(), messages] as const;
      });
      isOpen = true;
      for (let next = first; !next.done; next = await messages.next()) {
        while (!this.#state.isReading && !signal.aborted) await this.#resumed;
        if (signal.aborted) return;
        const message = toMessage(next.value);
        // With a token that never changes a new stream would have the same end: there is nothing to move for.
        const isVain = message.type === "reconnect" && message.renewToken && !this.#tokens.canRefresh;
        this.#state.onMessage(this.#clock.now(), id, isVain ? { type: "unknown" } : message);
        this.#turn();
      }
      this.#state.onClose(this.#clock.now(), id);
      this.#turn();
    } catch (cause) {
      if (signal.aborted) return;
      const error = toError(cause);
      const remedy = remedyOf(error);
      const canRefresh = isOpen && this.#tokens.canRefresh;
      this.#state.onEnd(this.#clock.now(), id, error, remedy === "refreshToken" && !canRefresh ? "giveUp" : remedy);
      this.#turn();
    } finally {
      this.#calls.delete(id);
      abort.abort();
      this.#connections.release(line);
    }
  }
}

/** What a transport throws that doesn't know better. */
export function toError(cause: unknown): PokeError {
  return cause instanceof PokeError ? cause : new PokeError("UNKNOWN", "the call has failed", { cause });
}
