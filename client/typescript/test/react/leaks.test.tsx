// @vitest-environment jsdom
// What a thousand hooks leave behind.
import { cleanup, render } from "@testing-library/react";
import type { PokeClient } from "multicast-poke";
import { PokeProvider } from "multicast-poke/react";
import { createClient } from "multicast-poke/web";
import { StrictMode } from "react";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { eventually, Listener, Seen } from "./harness.js";

const HOOKS = 1_000;
/** As many as a stream may hold. */
const AT_ONCE = 100;

let server: Server;

beforeAll(async () => {
  server = await Server.start();
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => server.stop());

/** Timers that run, of those that are started from now on. */
function countTimers(): () => number {
  const running = new Set<unknown>();
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((
    call: (...rest: unknown[]) => void,
    delay?: number,
    ...rest: unknown[]
  ) => {
    const timer = setTimeout(() => {
      running.delete(timer);
      call(...rest);
    }, delay);
    running.add(timer);
    return timer;
  }) as typeof setTimeout);
  vi.spyOn(globalThis, "setInterval").mockImplementation(((...args: Parameters<typeof setInterval>) => {
    const timer = setInterval(...args);
    running.add(timer);
    return timer;
  }) as typeof setInterval);
  const cleared = (clear: typeof clearTimeout) => (timer: Parameters<typeof clearTimeout>[0]) => {
    running.delete(timer);
    clear(timer);
  };
  vi.spyOn(globalThis, "clearTimeout").mockImplementation(cleared(clearTimeout));
  vi.spyOn(globalThis, "clearInterval").mockImplementation(cleared(clearInterval));
  return () => running.size;
}

/** Listeners that are there, of those that are added from now on to what lives as long as the page. */
function countListeners(): () => string[] {
  const there: [EventTarget, string, unknown][] = [];
  for (const target of [window, document]) {
    const { addEventListener, removeEventListener } = target;
    vi.spyOn(target, "addEventListener").mockImplementation((...args: unknown[]) => {
      there.push([target, args[0] as string, args[1]]);
      addEventListener.apply(target, args as never);
    });
    vi.spyOn(target, "removeEventListener").mockImplementation((...args: unknown[]) => {
      const at = there.findIndex((one) => one[0] === target && one[1] === args[0] && one[2] === args[1]);
      if (at >= 0) there.splice(at, 1);
      removeEventListener.apply(target, args as never);
    });
  }
  return () => there.map(([, type]) => type);
}

test("a thousand hooks, opened and closed, leave no stream, no timer and no listener", async () => {
  // What React itself adds, once for a page, isn't ours.
  render(<StrictMode />);
  cleanup();
  const timers = countTimers();
  const listeners = countListeners();
  const client: PokeClient = createClient(server.url);
  const opened = await server.metric("poke_streams_opened_total");

  for (let round = 0; round < HOOKS / AT_ONCE; round++) {
    const seen = Array.from({ length: AT_ONCE }, () => new Seen());
    const { unmount } = render(
      <StrictMode>
        <PokeProvider client={client}>
          {seen.map((one, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: it never changes
            <Listener key={at} seen={one} filter={`${round}.${at}`} />
          ))}
        </PokeProvider>
      </StrictMode>,
    );
    await eventually(() => seen.every((one) => one.now.status === "live"));
    await eventually(async () => (await server.openStreams()) === 1);
    expect(timers()).toBeGreaterThan(0);
    expect(listeners()).toContain("visibilitychange");
    unmount();
    await eventually(async () => (await server.openStreams()) === 0);
  }

  expect(await server.metric("poke_streams_opened_total")).toBeGreaterThan(opened);
  expect(client.positions()).toEqual([]);
  client.close();
  await eventually(() => timers() === 0);
  expect(listeners()).toEqual([]);
}, 120_000);

test("a thousand hooks that go before they are live leave nothing either", async () => {
  render(<StrictMode />);
  cleanup();
  const timers = countTimers();
  const listeners = countListeners();
  for (let hook = 0; hook < HOOKS; hook++) {
    render(
      <PokeProvider url={server.url}>
        <Listener seen={new Seen()} filter={`${hook}`} />
      </PokeProvider>,
    ).unmount();
  }
  await eventually(() => timers() === 0);
  expect(listeners()).toEqual([]);
  await eventually(async () => (await server.openStreams()) === 0);
}, 120_000);
