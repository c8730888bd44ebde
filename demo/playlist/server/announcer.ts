import { setTimeout as wait } from "node:timers/promises";
import { type PokeClient, sendPoke } from "multicast-poke";
import type { Change } from "../model.js";

/** The kind of pokes that this app sends; the filter is the playlist's id. */
export const DOMAIN = "PLAYLIST";

/** Pokes of one playlist that wait for the poke server. */
const MAX_WAITING = 64;
/** Milliseconds before the next attempt, after one that took its whole deadline. */
const PAUSE = 1_000;

/**
 * Publishes each change after it is stored, in order, and never keeps an editor waiting.
 *
 * While the poke server is away only the newest change is kept: pages see that a version is missing, and refetch.
 */
export class Announcer {
  readonly #client: PokeClient;
  readonly #waiting = new Map<string, Change[]>();
  readonly #stopped = new AbortController();

  constructor(client: PokeClient) {
    this.#client = client;
  }

  /** Takes a change that is stored. */
  announce(playlistId: string, change: Change): void {
    const waiting = this.#waiting.get(playlistId);
    if (!waiting) {
      this.#waiting.set(playlistId, [change]);
      void this.#publish(playlistId);
    } else {
      waiting.push(change);
      if (waiting.length > MAX_WAITING) this.#waiting.set(playlistId, [change]);
    }
  }

  /** Forgets what waits. */
  stop(): void {
    this.#stopped.abort();
    this.#client.close();
  }

  async #publish(playlistId: string): Promise<void> {
    for (;;) {
      const change = this.#waiting.get(playlistId)?.[0];
      if (!change || this.#stopped.signal.aborted) break;
      try {
        await sendPoke(DOMAIN, playlistId, change, this.#client);
        const waiting = this.#waiting.get(playlistId) ?? [];
        if (waiting[0] === change) waiting.shift();
      } catch (error) {
        console.error(`version ${change.version} of ${playlistId} isn't published yet: ${error}`);
        this.#waiting.set(playlistId, (this.#waiting.get(playlistId) ?? []).slice(-1));
        await wait(PAUSE, undefined, { signal: this.#stopped.signal }).catch(() => {});
      }
    }
    this.#waiting.delete(playlistId);
  }
}
