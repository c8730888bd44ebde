"use client";

import type { PokeClient } from "../client.js";
import { createClient } from "../web.js";

/** Where hooks find their client at the moment when they listen. */
export interface ClientSource {
  get(): PokeClient;
  release(): void;
}

/** A client that belongs to somebody else. */
export function given(client: PokeClient): ClientSource {
  return { get: () => client, release() {} };
}

/**
 * A client that is made when it is first needed, and made anew if it is needed after its release: React can take effects
 * back and run them again, in StrictMode, behind `Activity` and on a fast refresh.
 */
export function madeFrom(url: string): ClientSource {
  let client: PokeClient | undefined;
  return {
    get() {
      client ??= createClient(url);
      return client;
    },
    release() {
      client?.close();
      client = undefined;
    },
  };
}
