"use client";

import { PokeClient } from "../client.js";
import { grpcWeb } from "../grpc-web.js";
import { thisPage } from "../page.js";

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
      // Without `createClient`, so that a page doesn't load what carries calls over other transports.
      if (!client) {
        const wire = grpcWeb(url);
        client = new PokeClient(() => ({ wire }), {}, thisPage());
      }
      return client;
    },
    release() {
      client?.close();
      client = undefined;
    },
  };
}
