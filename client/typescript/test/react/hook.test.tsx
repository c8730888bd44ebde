// @vitest-environment jsdom
import { act, cleanup, render } from "@testing-library/react";
import type { PokeClient } from "multicast-poke";
import { PokeProvider } from "multicast-poke/react";
import { createClient } from "multicast-poke/web";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { eventually, Listener, type ListenerProps, Seen } from "./harness.js";

let server: Server;
let client: PokeClient;
let seen: Seen;

beforeAll(async () => {
  server = await Server.start({
    settings: {
      "stream.reconnect_spread": '"100ms"',
      // With a key it looks at credentials.
      "keys.somebody": '"sha256:761ab8109b67ed9c971a6767a78875e21d2950b7a2181d2232b4d59bbaa3f9ec"',
    },
  });
});
afterAll(() => server.stop());
beforeEach(() => {
  client = createClient(server.url);
  seen = new Seen();
});
afterEach(async () => {
  cleanup();
  client.close();
  await eventually(async () => (await server.openStreams()) === 0);
});

const page = (props: Partial<ListenerProps> = {}) => (
  <PokeProvider client={client}>
    <Listener seen={seen} {...props} />
  </PokeProvider>
);

const live = () => eventually(() => seen.now.status === "live");

test("a poke reaches the handler and the component", async () => {
  const { container } = render(page());
  await live();
  await server.publish("PLAYLIST", "1", { added: ["track-7"] });
  await eventually(() => seen.pokes.length === 1);
  expect(seen.pokes[0]).toMatchObject({ interest: { domain: "PLAYLIST", filter: "1" }, data: { added: ["track-7"] } });
  expect(seen.now.lastPoke).toBe(seen.pokes[0]);
  expect(container.textContent).toBe('{"added":["track-7"]}');
  expect(seen.statuses).toEqual(["idle", "connecting", "live"]);
});

test("StrictMode's double effects leave one stream and one call a poke, and none after the component has gone", async () => {
  const { rerender } = render(<StrictMode>{page()}</StrictMode>);
  await live();
  await eventually(async () => (await server.openStreams()) === 1);
  await server.publish("PLAYLIST", "1", 1);
  await server.publish("PLAYLIST", "1", 2);
  await eventually(() => seen.pokes.length >= 2);
  expect(seen.data).toEqual([1, 2]);

  rerender(<StrictMode />);
  await eventually(async () => (await server.openStreams()) === 0);
  await server.publish("PLAYLIST", "1", 3);
  expect(seen.data).toEqual([1, 2]);
});

test("the newest handler is called, and nothing is subscribed again for it", async () => {
  const { rerender } = render(page());
  await live();
  const { startPoke, stopPoke } = seen.now;
  const opened = await server.metric("poke_streams_opened_total");
  const handle = vi.fn();
  rerender(page({ handle }));
  await server.publish("PLAYLIST", "1", "new");
  await eventually(() => handle.mock.calls.length === 1);
  expect(seen.pokes).toEqual([]);
  expect(seen.now).toMatchObject({ startPoke, stopPoke });
  expect(await server.metric("poke_streams_opened_total")).toBe(opened);
});

test("startPoke and stopPoke are other functions exactly when the interest or the client is another", async () => {
  const { rerender } = render(page({ start: "call" }));
  const identities = () => [seen.now.startPoke, seen.now.stopPoke];
  const first = identities();
  rerender(page({ start: "call", handle: () => {}, onGap: () => {}, latest: true, audience: "everyone" }));
  expect(identities()).toEqual(first);

  let before = first;
  const other = createClient(server.url);
  const changes: Partial<ListenerProps>[] = [{ domain: "LIBRARY" }, { filter: "2" }, { audience: "customer" }, {}];
  for (const change of changes) {
    if (Object.keys(change).length === 0) client = other;
    rerender(page({ start: "call", ...change }));
    const [start, stop] = identities();
    expect(start).not.toBe(before[0]);
    expect(stop).not.toBe(before[1]);
    before = identities();
  }
});

test("starting twice is one, and stopping what was never started is fine", async () => {
  render(page({ start: "call" }));
  act(() => seen.now.stopPoke());
  expect(seen.now.status).toBe("idle");
  act(() => {
    seen.now.startPoke();
    seen.now.startPoke();
  });
  await live();
  await server.publish("PLAYLIST", "1", "once");
  await eventually(() => seen.pokes.length > 0);
  expect(seen.data).toEqual(["once"]);
  act(() => seen.now.stopPoke());
  expect(seen.now.status).toBe("idle");
  await eventually(async () => (await server.openStreams()) === 0);
  expect(seen.now.lastPoke?.data).toBe("once");

  act(() => seen.now.startPoke());
  await live();
  await server.publish("PLAYLIST", "1", "again");
  await eventually(() => seen.pokes.length > 1);
  expect(seen.data).toEqual(["once", "again"]);
});

for (const start of ["effect", "call"] as const) {
  test(`what was started by an ${start} moves over to another filter`, async () => {
    const { rerender, container } = render(page({ start }));
    if (start === "call") act(() => seen.now.startPoke());
    await live();
    await server.publish("PLAYLIST", "1", "first");
    await eventually(() => seen.pokes.length === 1);

    rerender(page({ start, filter: "2" }));
    expect(container.textContent).toBe("");
    await live();
    await server.publish("PLAYLIST", "1", "nobody listens");
    await server.publish("PLAYLIST", "2", "second");
    await eventually(() => seen.pokes.length === 2);
    expect(seen.data).toEqual(["first", "second"]);
    await eventually(async () => (await server.openStreams()) === 1);
  });
}

test("the end of an interest is told and stops it; it can be started anew", async () => {
  const onEnded = vi.fn();
  render(page({ filter: "short", onEnded }));
  await live();
  await server.publish("PLAYLIST", "short", "last");
  await server.call("EndInterest", { domain: "PLAYLIST", filter: "short", data: "over" });
  await eventually(() => seen.now.status === "ended");
  expect(onEnded.mock.calls).toMatchObject([[{ data: "over" }]]);
  expect(seen.data).toEqual(["last"]);
  await eventually(async () => (await server.openStreams()) === 0);

  act(() => seen.now.startPoke());
  expect(seen.now.status).toBe("connecting");
  await eventually(() => seen.now.status === "ended");
  expect(onEnded).toHaveBeenCalledTimes(2);
});

test("what the server refuses for good has failed, with the reason, and the console is warned of it once", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const other = new Seen();
  render(
    <StrictMode>
      {page({ domain: "no such domain" })}
      <PokeProvider client={client}>
        <Listener seen={other} />
      </PokeProvider>
    </StrictMode>,
  );
  await eventually(() => seen.now.status === "failed" && other.now.status === "live");
  expect(seen.now.error).toMatchObject({ name: "PokeError", code: "INVALID_ARGUMENT", isFinal: true });
  act(() => seen.now.startPoke());
  await eventually(() => seen.statuses.filter((status) => status === "failed").length === 2);
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/"no such domain" "1" is refused: .* \(INVALID_DOMAIN\)$/)]]);
  warn.mockRestore();
});

test("whoever gives onRejected has handled a refusal, else onError hears it, and the console nothing", async () => {
  const warn = vi.spyOn(console, "warn");
  const [onError, onRejected] = [vi.fn(), vi.fn()];
  render(page({ domain: "no such domain", onError, onRejected }));
  await eventually(() => seen.now.status === "failed");
  expect(onRejected.mock.calls).toMatchObject([[{ reason: "INVALID_DOMAIN", isFinal: true }]]);
  expect(onError).not.toHaveBeenCalled();
  cleanup();
  seen = new Seen();
  render(page({ domain: "no such domain", onError }));
  await eventually(() => seen.now.status === "failed");
  expect(onError.mock.calls).toMatchObject([[{ reason: "INVALID_DOMAIN", isFinal: true }]]);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

test("an error that no retry can heal has failed, and it can be started anew", async () => {
  const onError = vi.fn();
  client = createClient(server.url, { token: "poke_wrong" });
  render(page({ onError }));
  await eventually(() => seen.now.status === "failed");
  expect(onError.mock.calls).toMatchObject([[{ reason: "INVALID_CREDENTIALS" }]]);
  expect(seen.now.error).toMatchObject({ code: "UNAUTHENTICATED", reason: "INVALID_CREDENTIALS" });
  act(() => seen.now.startPoke());
  expect(seen.now).toMatchObject({ status: "connecting", error: undefined });
  await eventually(() => seen.now.status === "failed");
});

test("a lost server is told, then what was missed, and pokes come again", async () => {
  const [onGap, onLive] = [vi.fn(), vi.fn()];
  render(page({ onGap, onLive }));
  await live();
  expect(onLive.mock.calls).toMatchObject([[{ outcome: "fresh" }]]);
  await server.kill();
  await eventually(() => seen.now.status === "reconnecting");
  expect(seen.now.error).toMatchObject({ name: "PokeError" });
  await server.restart();
  await live();
  expect(seen.now.error).toBeUndefined();
  await eventually(() => onGap.mock.calls.length > 0);
  expect(onGap.mock.calls).toMatchObject([[{ reason: "epoch_changed", interest: { filter: "1" } }]]);
  expect(onLive.mock.calls[1]).toMatchObject([{ outcome: "gap" }]);
  await server.publish("PLAYLIST", "1", "after");
  await eventually(() => seen.pokes.length > 0);
  expect(seen.data).toEqual(["after"]);
});

test("a component that goes without stopPoke leaves nothing", async () => {
  const { unmount } = render(page({ start: "call" }));
  act(() => seen.now.startPoke());
  await live();
  const { startPoke } = seen.now;
  unmount();
  await eventually(async () => (await server.openStreams()) === 0);
  startPoke();
  expect(client.positions()).toEqual([]);
});

test("the newest poke that is kept comes first if that is asked for", async () => {
  await server.publish("PLAYLIST", "kept", "old");
  await server.publish("PLAYLIST", "kept", "newest");
  render(page({ filter: "kept", latest: true }));
  await eventually(() => seen.pokes.length > 0);
  expect(seen.data).toEqual(["newest"]);
});

test("what a server has rendered comes to life", async () => {
  const container = document.body.appendChild(document.createElement("div"));
  container.innerHTML = renderToString(page());
  const complaints = vi.spyOn(console, "error");
  render(page(), { container, hydrate: true });
  await live();
  await server.publish("PLAYLIST", "1", "hydrated");
  await eventually(() => container.innerHTML === '<p>"hydrated"</p>');
  expect(complaints).not.toHaveBeenCalled();
});

test("two components share a stream; one leaving doesn't end the other's", async () => {
  const other = new Seen();
  const both = (second: boolean) => (
    <PokeProvider client={client}>
      <Listener key="a" seen={seen} />
      {second && <Listener key="b" seen={other} />}
    </PokeProvider>
  );
  const { rerender } = render(both(false));
  await live();
  rerender(both(true));
  await eventually(() => other.now.status === "live");
  await eventually(async () => (await server.openStreams()) === 1);
  await server.publish("PLAYLIST", "1", "both");
  await eventually(() => seen.pokes.length === 1 && other.pokes.length === 1);
  rerender(both(false));
  await server.publish("PLAYLIST", "1", "one");
  await eventually(() => seen.pokes.length === 2);
  expect(other.data).toEqual(["both"]);
});
