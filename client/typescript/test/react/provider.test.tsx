// @vitest-environment jsdom
import { cleanup, render } from "@testing-library/react";
import { PokeClient } from "multicast-poke";
import { PokeProvider } from "multicast-poke/react";
import { createClient } from "multicast-poke/web";
import * as React from "react";
import { StrictMode } from "react";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { eventually, Listener, Seen } from "./harness.js";

let server: Server;
let seen: Seen;

beforeAll(async () => {
  server = await Server.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  seen = new Seen();
});
afterEach(cleanup);

test("without a provider the error says what to do", () => {
  const silenced = vi.spyOn(console, "error").mockImplementation(() => {});
  expect(() => render(<Listener seen={seen} />)).toThrow(/useMulticastPoke needs a <PokeProvider>/);
  silenced.mockRestore();
});

test("a url that can never work has failed, with the reason, also on the console", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  render(
    <PokeProvider url="ftp://example.com">
      <Listener seen={seen} />
    </PokeProvider>,
  );
  expect(seen.now).toMatchObject({ status: "failed", error: { name: "PokeError", code: "INVALID_ARGUMENT" } });
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/the URL must be/)]]);
  warn.mockRestore();
});

test("a client made from a url is closed with its provider", async () => {
  const close = vi.spyOn(PokeClient.prototype, "close");
  const { unmount } = render(
    <PokeProvider url={server.url}>
      <Listener seen={seen} />
    </PokeProvider>,
  );
  await eventually(() => seen.now.status === "live");
  expect(close).not.toHaveBeenCalled();
  unmount();
  expect(close).toHaveBeenCalledOnce();
  await eventually(async () => (await server.openStreams()) === 0);
});

test("in StrictMode too", async () => {
  const { unmount } = render(
    <StrictMode>
      <PokeProvider url={server.url}>
        <Listener seen={seen} />
        <Listener seen={new Seen()} filter="2" />
      </PokeProvider>
    </StrictMode>,
  );
  await eventually(() => seen.now.status === "live");
  await eventually(async () => (await server.openStreams()) === 1);
  await server.publish("PLAYLIST", "1", "hello");
  await eventually(() => seen.pokes.length > 0);
  expect(seen.data).toEqual(["hello"]);
  unmount();
  await eventually(async () => (await server.openStreams()) === 0);
});

test("with another url everything moves to that server", async () => {
  const second = await Server.start();
  try {
    const page = (url: string) => (
      <PokeProvider url={url}>
        <Listener seen={seen} />
      </PokeProvider>
    );
    const { rerender } = render(page(server.url));
    await eventually(() => seen.now.status === "live");
    rerender(page(second.url));
    await eventually(async () => (await server.openStreams()) === 0 && (await second.openStreams()) === 1);
    await eventually(() => seen.now.status === "live");
    await second.publish("PLAYLIST", "1", "from the second");
    await eventually(() => seen.pokes.length > 0);
    expect(seen.data).toEqual(["from the second"]);
    cleanup();
    await eventually(async () => (await second.openStreams()) === 0);
  } finally {
    await second.stop();
  }
});

test("a given client stays open when its provider goes", async () => {
  const client = createClient(server.url);
  const listener = vi.fn();
  const stop = client.listen({ domain: "PLAYLIST", filter: "9" }, { onPoke: listener });
  const { unmount } = render(
    <PokeProvider client={client}>
      <Listener seen={seen} />
    </PokeProvider>,
  );
  await eventually(() => seen.now.status === "live");
  unmount();
  await eventually(async () => {
    await server.publish("PLAYLIST", "9");
    return listener.mock.calls.length > 0;
  });
  stop();
  client.close();
});

// React 18 has none.
const Activity = (React as { Activity?: typeof React.Activity }).Activity;
if (Activity) {
  test("what Activity hides doesn't listen, and listens again when it is shown", async () => {
    const page = (mode: "visible" | "hidden") => (
      <Activity mode={mode}>
        <PokeProvider url={server.url}>
          <Listener seen={seen} />
        </PokeProvider>
      </Activity>
    );
    const { rerender } = render(page("visible"));
    await eventually(() => seen.now.status === "live");
    rerender(page("hidden"));
    await eventually(async () => (await server.openStreams()) === 0);
    rerender(page("visible"));
    await eventually(async () => (await server.openStreams()) === 1);
    await eventually(() => seen.now.status === "live");
    await server.publish("PLAYLIST", "1", "seen");
    await eventually(() => seen.pokes.length > 0);
  });
}
