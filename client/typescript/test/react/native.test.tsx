// React without a DOM, and with as little as React Native has; there `fetch` is that of Expo, here Node's.
import { AbortController, AbortSignal } from "abort-controller"; // React Native's own
import { PokeProvider } from "multicast-poke/react";
import { createClient } from "multicast-poke/web";
import { act, create, type ReactTestRenderer } from "react-test-renderer";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { Listener, Seen } from "./harness.js";

let server: Server;

beforeEach(async () => {
  server = await Server.start();
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await server.stop();
});

/** Node's fetch, which takes React Native's signals, and finds the URL that it needs itself. */
function expoFetch(): typeof globalThis.fetch {
  const { AbortController, URL, fetch } = globalThis;
  return (url, { signal, ...options } = {}) => {
    const controller = new AbortController();
    signal?.addEventListener("abort", () => controller.abort());
    if (signal?.aborted) controller.abort();
    const { URL: half } = globalThis;
    globalThis.URL = URL;
    try {
      return fetch(url, { ...options, signal: controller.signal });
    } finally {
      globalThis.URL = half;
    }
  };
}

/** Takes away what browsers and Node have, and React Native hasn't. */
function onlyReactNative(): void {
  new Headers(); // Node makes its fetch, from what is there, on first use
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("navigator", { product: "ReactNative" });
  vi.stubGlobal("AbortController", AbortController);
  vi.stubGlobal("AbortSignal", AbortSignal);
  vi.stubGlobal("fetch", () => Promise.reject(new Error("the global fetch doesn't stream")));
  for (const missing of ["URL", "crypto", "structuredClone"]) {
    vi.stubGlobal(missing, undefined);
  }
}

test("the hook and the client need no more than React Native has", async () => {
  const { url } = server;
  const fetch = expoFetch();
  onlyReactNative();
  expect(typeof document).toBe("undefined");
  const client = createClient(url, { fetch });
  const seen = new Seen();
  const eventually = (holds: () => boolean) =>
    vi.waitFor(() => act(async () => void expect(holds()).toBe(true)), { timeout: 20_000 });
  let root: ReactTestRenderer | undefined;
  await act(async () => {
    root = create(
      <PokeProvider client={client}>
        <Listener seen={seen} />
      </PokeProvider>,
    );
  });
  await eventually(() => seen.now.status === "live");
  await client.publish({ domain: "PLAYLIST", filter: "1", data: "native" });
  await eventually(() => seen.pokes.length === 1);
  expect(root?.toJSON()).toMatchObject({ type: "p", children: ['"native"'] });

  await act(async () => root?.unmount());
  vi.unstubAllGlobals();
  await vi.waitFor(async () => expect(await server.openStreams()).toBe(0), { timeout: 20_000 });
  client.close();
});

test("a call that gets no answer there ends in time, with the reason", async () => {
  const fetch: typeof globalThis.fetch = () => new Promise(() => {});
  onlyReactNative();
  const client = createClient("http://127.0.0.1:1", { fetch });
  const publish = client.publish({ domain: "PLAYLIST", filter: "1" }, { deadline: 50 });
  await expect(publish).rejects.toMatchObject({ name: "PokeError", code: "DEADLINE_EXCEEDED" });
  client.close();
});
