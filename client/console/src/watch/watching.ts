import { type Interest, type PokeClient, PokeError, type PokeEvent, type SavedPosition } from "multicast-poke";
import type { Journal } from "../events/journal.js";
import { says } from "../events/words.js";
import { Store } from "../store.js";

/** How it stands with an interest. "waiting": it is refused for now, and asked for again. */
export type Standing = "connecting" | "live" | "reconnecting" | "waiting" | "ended" | "refused" | "failed";

/** An interest that is watched. */
export interface Watched {
  interest: Interest;
  standing: Standing;
  pokes: number;
  gaps: number;
  /** Why it is refused, has failed or waits. */
  why?: string | undefined;
}

/** Equal for equal interests. No filter holds a line end. */
export function keyOf({ domain, filter, audience = "everyone" }: Interest): string {
  return `${audience}\n${domain}\n${filter}`;
}

/** The interests that are watched, all on one stream, and what comes of them. */
export class Watching {
  /** In the order in which they were added. */
  readonly watched = new Store<readonly Watched[]>([]);
  readonly #journal: Journal;
  readonly #connect: (token: string) => PokeClient;
  #token = "";
  #client: PokeClient | undefined;
  readonly #stops = new Map<string, () => void>();
  /** What has been told already: each listener hears of what concerns them all. */
  #told: unknown;

  constructor(journal: Journal, connect: (token: string) => PokeClient) {
    this.#journal = journal;
    this.#connect = connect;
  }

  /** Listens as whoever has this token from now on, from where it was. */
  setToken(token: string): void {
    if (token === this.#token) return;
    this.#token = token;
    const positions = this.#client?.positions() ?? [];
    this.#client?.close();
    this.#client = undefined;
    this.#stops.clear();
    for (const { interest, standing } of this.watched.value) {
      if (standing !== "ended") this.#listen(interest, false, positions);
    }
  }

  /** Watches one more. Does nothing if it is watched already. */
  add(interest: Interest, latest: boolean): void {
    const known = this.watched.value.find((watched) => keyOf(watched.interest) === keyOf(interest));
    if (known && this.#stops.has(keyOf(interest))) return;
    if (!known) this.watched.value = [...this.watched.value, { interest, standing: "connecting", pokes: 0, gaps: 0 }];
    this.#listen(interest, latest, []);
  }

  remove(interest: Interest): void {
    const key = keyOf(interest);
    this.watched.value = this.watched.value.filter((watched) => keyOf(watched.interest) !== key);
    this.#stop(key);
  }

  #stop(key: string): void {
    const stop = this.#stops.get(key);
    this.#stops.delete(key);
    stop?.();
  }

  #listen(interest: Interest, latest: boolean, positions: SavedPosition[]): void {
    const key = keyOf(interest);
    this.#change(key, () => ({ standing: "connecting", why: undefined }));
    this.#client ??= this.#connect(this.#token);
    const handlers = {
      onEvent: (event: PokeEvent) => this.#take(key, event),
      onError: (error: PokeError) => this.#fail(key, error),
    };
    try {
      this.#stops.set(key, this.#client.listen(interest, handlers, { latest, positions }));
    } catch (error) {
      // No interest by the contract's rules.
      if (!(error instanceof PokeError)) throw error;
      this.#fail(key, error);
    }
  }

  #take(key: string, event: PokeEvent): void {
    switch (event.type) {
      case "poke":
        this.#change(key, ({ pokes }) => ({ pokes: pokes + 1 }));
        break;
      case "gap":
        this.#change(key, ({ gaps }) => ({ gaps: gaps + 1 }));
        break;
      case "live":
        this.#change(key, () => ({ standing: "live", why: undefined }));
        break;
      case "ended":
        this.#change(key, () => ({ standing: "ended" }));
        this.#stop(key);
        break;
      case "rejected":
        this.#change(key, () => ({ standing: event.isFinal ? "refused" : "waiting", why: says(event) }));
        if (event.isFinal) this.#stop(key);
        break;
      case "reconnecting":
        this.#change(key, ({ standing }) => ({ standing: standing === "waiting" ? standing : "reconnecting" }));
        if (this.#told === event.cause) return;
        this.#told = event.cause;
        break;
      case "connected":
        if (this.#told === event.streamId) return;
        this.#told = event.streamId;
        break;
    }
    this.#journal.add(event);
  }

  #fail(key: string, error: PokeError): void {
    this.#change(key, () => ({ standing: "failed", why: says({ type: "failed", error }) }));
    this.#stop(key);
    if (this.#told === error) return;
    this.#told = error;
    this.#journal.add({ type: "failed", error });
  }

  #change(key: string, change: (watched: Watched) => Partial<Watched>): void {
    this.watched.value = this.watched.value.map((watched) =>
      keyOf(watched.interest) === key ? { ...watched, ...change(watched) } : watched,
    );
  }
}
