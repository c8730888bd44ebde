import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { PokeClient } from "./client.js";
import { checkText } from "./data.js";
import { PokeError } from "./error.js";
import type { ClientOptions } from "./options.js";
import type { Device } from "./stream.js";
import { grpc, overTransport } from "./wire.js";

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
  const { fetch = (...args) => globalThis.fetch(...args), transport } = options;
  const wire = transport ? overTransport(transport) : grpc(checkUrl(checkText(url, "url")), overFetch(fetch), "grpc-web");
  return new PokeClient(() => ({ wire }), options, typeof document === "undefined" ? undefined : page);
}

/** Without the class URL, of which React Native has half. */
function checkUrl(text: string): string {
  const isRelative = typeof location !== "undefined" && !text.includes("://");
  const url = isRelative ? new URL(text, location.href).href : text;
  if (!/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i.test(url)) {
    throw new PokeError("INVALID_ARGUMENT", "the URL must be https://HOST or http://HOST:PORT, with a path or without");
  }
  return url.replace(/\/$/, "");
}

function overFetch(fetch: typeof globalThis.fetch): UniversalClientFn {
  return async ({ url, method, header, body, signal }) => {
    const message = await body?.[Symbol.asyncIterator]().next();
    const response = await fetch(url, {
      method,
      headers: header,
      body: message?.value,
      signal: signal ?? null,
      // A redirect would lose the body, and take the token elsewhere.
      redirect: "manual",
      cache: "no-store",
    }).catch((cause) => {
      throw new PokeError("UNAVAILABLE", "the server can't be reached", { cause });
    });
    return { status: response.status, header: response.headers, body: chunks(response), trailer: new Headers() };
  };
}

async function* chunks({ body, headers, status }: Response): AsyncGenerator<Uint8Array> {
  if (!body) {
    if (status !== 200 || headers.has("grpc-status")) return;
    throw new PokeError("UNIMPLEMENTED", "this fetch can't stream: on React Native pass that of expo/fetch");
  }
  const reader = body.getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value;
  } catch (cause) {
    throw new PokeError("UNKNOWN", "the stream has broken", { cause });
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The page knows when it comes back from sleep, from the background or from the cache of the back button. */
const page: Device = {
  isOffline: () => navigator.onLine === false,
  onWake(wake) {
    const whenVisible = () => {
      if (document.visibilityState === "visible") wake();
    };
    const signs: [EventTarget, string, () => void][] = [
      [document, "visibilitychange", whenVisible],
      [document, "resume", wake],
      [window, "online", wake],
      [window, "pageshow", wake],
    ];
    for (const [target, type, listener] of signs) target.addEventListener(type, listener);
    return () => {
      for (const [target, type, listener] of signs) target.removeEventListener(type, listener);
    };
  },
};
