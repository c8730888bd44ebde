import type { OutgoingHttpHeaders, SecureClientSessionOptions } from "node:http2";
import net from "node:net";
import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createNodeHttpClient } from "@connectrpc/connect-node";
import { PokeClient } from "./client.js";
import type { Connection } from "./connection.js";
import { checkText } from "./data.js";
import { PokeError } from "./error.js";
import type { ClientOptions } from "./options.js";
import { Sessions } from "./sessions.js";
import { codeName } from "./status.js";
import { grpc, overTransport } from "./wire.js";

/** How a client of a service is set up. */
export interface NodeOptions extends ClientOptions {
  /** Of node:tls, for `https:`: `ca`, `cert`, `key` and the like. */
  tls?: SecureClientSessionOptions | undefined;
  /** In place of gRPC over HTTP/2: any transport of Connect. `url` and `tls` are not used then. */
  transport?: Transport | undefined;
}

/**
 * A client that speaks gRPC over HTTP/2. `url` is `https://HOST`, `http://HOST:PORT` or `unix:PATH`.
 *
 * @throws PokeError INVALID_ARGUMENT for a URL that can never work.
 */
export function createClient(url: string, options: NodeOptions = {}): PokeClient {
  const { transport, tls } = options;
  if (transport) return new PokeClient(() => ({ wire: overTransport(transport) }), options);
  const path = checkText(url, "url").startsWith("unix:") ? url.slice(5) : undefined;
  const origin = path === undefined ? checkUrl(url) : "http://localhost";
  if (path === "") throw new PokeError("INVALID_ARGUMENT", "unix: needs the path of a socket");
  return new PokeClient(() => connect(origin, path, tls), options);
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    !url ||
    !/^https?:$/.test(url.protocol) ||
    url.username ||
    url.password ||
    url.pathname !== "/" ||
    url.search ||
    url.hash
  ) {
    throw new PokeError("INVALID_ARGUMENT", "the URL must be https://HOST, http://HOST:PORT or unix:PATH, and end there");
  }
  return url.origin;
}

/** HTTP/2 connections, opened by calls that find none with room, and again when the peer has closed them. */
function connect(origin: string, path: string | undefined, tls: SecureClientSessionOptions | undefined): Connection {
  const createConnection = path === undefined ? {} : { createConnection: () => net.connect(path) };
  const sessions = new Sessions(origin, { ...tls, ...createConnection });
  const pool = {
    authority: origin,
    request: (method: string, path: string, headers: OutgoingHttpHeaders) =>
      sessions.request({ ...headers, ":method": method, ":path": path }).catch(refuse),
    notifyResponseByteRead() {},
  };
  const http = createNodeHttpClient({ httpVersion: "2", sessionProvider: () => pool });
  return { wire: grpc(origin, telling(http), "grpc"), close: () => sessions.close() };
}

/** Node's codes for a certificate, a key or a handshake that is no good: it lasts until somebody sets up one of the two sides otherwise. */
const INSECURE =
  /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_|INVALID_|PATH_|ERR_TLS|ERR_SSL|ERR_OSSL|ERR_INVALID_ARG)/;

/** There is no connection. A publish that can't be secure wasn't sent; a stream waits until that is mended. */
function refuse(cause: Error & { code?: string }): never {
  const isInsecure = INSECURE.test(cause.code ?? "");
  const problem = isInsecure ? "there is no secure connection" : "the server can't be reached";
  const isFinal = isInsecure ? { isFinal: true } : {};
  throw new PokeError("UNAVAILABLE", `${problem}: ${cause.message}`, { cause, ...isFinal });
}

/** The same, with errors that say that the network or HTTP/2 is to blame. */
function telling(http: UniversalClientFn): UniversalClientFn {
  return async (request) => {
    const answer = await http(request).catch(blame);
    const iterator = answer.body[Symbol.asyncIterator]();
    return { ...answer, body: { [Symbol.asyncIterator]: () => ({ next: () => iterator.next().catch(blame) }) } };
  };
}

function blame(error: unknown): never {
  const { code, rawMessage, cause } = error as { code?: number; rawMessage?: string; cause?: unknown };
  if (cause instanceof PokeError) throw cause;
  const name = codeName(code ?? 2);
  // Other codes than these say what happened to HTTP/2, not to the call.
  const isKnown = ["CANCELLED", "INTERNAL", "UNKNOWN"].includes(name);
  throw new PokeError(isKnown ? name : "UNAVAILABLE", rawMessage ?? "the connection has failed", { cause: error });
}
