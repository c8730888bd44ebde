import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { checkText } from "./data.js";
import { PokeError } from "./error.js";
import { grpc, type Wire } from "./wire.js";

/**
 * gRPC-Web by fetch.
 *
 * @throws PokeError INVALID_ARGUMENT for a URL that can never work.
 */
export function grpcWeb(url: string, fetch: typeof globalThis.fetch = (...args) => globalThis.fetch(...args)): Wire {
  return grpc(checkUrl(checkText(url, "url")), overFetch(fetch), "grpc-web");
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
    throw new PokeError("UNIMPLEMENTED", "this fetch can't stream: React Native needs that of expo/fetch");
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
