import type { Transport } from "@connectrpc/connect";
import { type ClientOptions, PokeClient } from "./client.js";

/** How a client of a browser is set up. */
export interface WebOptions extends ClientOptions {
  /** In place of the global one. Its answers must stream. */
  fetch?: typeof globalThis.fetch | undefined;
  /** In place of gRPC-Web by fetch: any transport of Connect. `url` and `fetch` are not used then. */
  transport?: Transport | undefined;
}

/** A client that speaks gRPC-Web by fetch: for browsers, and wherever fetch streams. */
export function createClient(_url: string, options: WebOptions = {}): PokeClient {
  return new PokeClient(() => ({ transport: options.transport as Transport }), options);
}
