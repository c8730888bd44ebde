import type { Transport } from "@connectrpc/connect";
import { PokeClient } from "./client.js";
import { grpcWeb } from "./grpc-web.js";
import type { ClientOptions } from "./options.js";
import { thisPage } from "./page.js";
import { overTransport } from "./wire.js";

/** How a client of a browser is set up. */
export interface WebOptions extends ClientOptions {
  /** In place of the global one. Its answers must stream: on React Native take that of `expo/fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
  /** In place of gRPC-Web by fetch: any transport of Connect. `url` and `fetch` are not used then. */
  transport?: Transport | undefined;
}

/**
 * A client that speaks gRPC-Web by fetch: for browsers, and wherever fetch streams. In a page, `url` can be relative to it.
 *
 * @throws PokeError INVALID_ARGUMENT for a URL that can never work.
 */
export function createClient(url: string, options: WebOptions = {}): PokeClient {
  const { fetch, transport } = options;
  const wire = transport ? overTransport(transport) : grpcWeb(url, fetch);
  return new PokeClient(() => ({ wire }), options, thisPage());
}
