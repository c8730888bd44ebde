import type { SecureClientSessionOptions } from "node:http2";
import type { Transport } from "@connectrpc/connect";
import { type ClientOptions, PokeClient } from "./client.js";

/** How a client of a service is set up. */
export interface NodeOptions extends ClientOptions {
  /** Of node:tls: `ca`, `cert`, `key` and the like. */
  tls?: SecureClientSessionOptions | undefined;
  /** In place of gRPC over HTTP/2: any transport of Connect. `url` and `tls` are not used then. */
  transport?: Transport | undefined;
}

/** A client that speaks gRPC over HTTP/2. `url` is `https://HOST`, `http://HOST:PORT` or `unix:PATH`. */
export function createClient(_url: string, options: NodeOptions = {}): PokeClient {
  return new PokeClient(() => ({ transport: options.transport as Transport }), options);
}
