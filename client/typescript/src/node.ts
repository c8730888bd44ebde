import http2, { type ClientHttp2Session, type OutgoingHttpHeaders, type SecureClientSessionOptions } from "node:http2";
import net from "node:net";
import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createNodeHttpClient } from "@connectrpc/connect-node";
import { PokeClient } from "./client.js";
import type { Connection } from "./connection.js";
import { checkText } from "./data.js";
import { PokeError } from "./error.js";
import { CONNECT_WITHIN } from "./numbers.js";
import type { ClientOptions } from "./options.js";
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
 * What a peer may send ahead of its reader, in bytes for each stream: enough for the largest event. Of the connection's window
 * Node gives back what has come, read or not, so that one slow reader doesn't use it up.
 */
const STREAM_WINDOW = 256 * 1024;

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

/** One HTTP/2 connection, opened by its first call, and again when the peer has closed it. */
function connect(origin: string, path: string | undefined, tls: SecureClientSessionOptions | undefined): Connection {
  let session: ClientHttp2Session | undefined;
  let opening: Promise<ClientHttp2Session> | undefined;
  const closing = new AbortController();
  const ready = async () => {
    if (session && !session.closed && !session.destroyed) return session;
    const createConnection = path === undefined ? {} : { createConnection: () => net.connect(path) };
    opening ??= open(origin, { ...tls, ...createConnection }, closing.signal).finally(() => {
      opening = undefined;
    });
    session = await opening;
    return session;
  };
  const pool = {
    authority: origin,
    request: async (method: string, path: string, headers: OutgoingHttpHeaders) => {
      const session = await ready().catch(refuse);
      return hold(session, session.request({ ...headers, ":method": method, ":path": path }));
    },
    notifyResponseByteRead() {},
  };
  const http = createNodeHttpClient({ httpVersion: "2", sessionProvider: () => pool });
  return { wire: grpc(origin, telling(http), "grpc"), close: () => closing.abort() };
}

/** `closing` ends it, also while it opens. */
function open(origin: string, options: SecureClientSessionOptions, closing: AbortSignal): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(origin, { ...options, settings: { initialWindowSize: STREAM_WINDOW } });
    const destroy = () => session.destroy();
    closing.addEventListener("abort", destroy);
    const timer = setTimeout(() => session.destroy(new Error("the connection took too long")), CONNECT_WITHIN);
    session.on("error", reject);
    session.once("close", () => {
      closing.removeEventListener("abort", destroy);
      clearTimeout(timer);
      reject(new Error("the connection was closed"));
    });
    session.once("connect", () => {
      clearTimeout(timer);
      session.unref();
      resolve(session);
    });
  });
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

const streams = new WeakMap<ClientHttp2Session, number>();

/** A connection without a stream doesn't keep the process alive. */
function hold<S extends { once(event: "close", then: () => void): unknown }>(session: ClientHttp2Session, stream: S): S {
  streams.set(session, (streams.get(session) ?? 0) + 1);
  session.ref();
  stream.once("close", () => {
    const left = (streams.get(session) ?? 1) - 1;
    streams.set(session, left);
    if (left === 0) session.unref();
  });
  return stream;
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
