// @vitest-environment jsdom
// More hooks than a stream may have interests.
import { cleanup, render } from "@testing-library/react";
import type { PokeClient } from "multicast-poke";
import { PokeProvider } from "multicast-poke/react";
import { createClient } from "multicast-poke/web";
import { StrictMode } from "react";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { eventually, Listener, Seen } from "./harness.js";

let server: Server;
let client: PokeClient;

beforeAll(async () => {
  server = await Server.start({ settings: { "stream.reconnect_spread": '"100ms"', "stream.max_interests": "100" } });
});
afterAll(() => server.stop());
beforeEach(() => {
  client = createClient(server.url);
});
afterEach(async () => {
  cleanup();
  client.close();
  await eventually(async () => (await server.openStreams()) === 0);
});

const page = (hooks: Map<string, Seen>) => (
  <StrictMode>
    <PokeProvider client={client}>
      {[...hooks].map(([filter, seen]) => (
        <Listener key={filter} seen={seen} filter={filter} />
      ))}
    </PokeProvider>
  </StrictMode>
);

const areLive = (hooks: Map<string, Seen>) => [...hooks.values()].filter(({ now }) => now.status === "live").length;

test("of a hundred and two hooks at first render two wait, say why, and are live when others go", async () => {
  const hooks = new Map(Array.from({ length: 102 }, (_, at) => [`${at}`, new Seen()]));
  const { rerender } = render(page(hooks));
  await eventually(() => areLive(hooks) === 100);
  const waiting = [hooks.get("100"), hooks.get("101")];
  await eventually(() => waiting.every((seen) => seen?.now.error));
  for (const seen of waiting) {
    expect(seen?.now).toMatchObject({
      status: "reconnecting",
      error: { code: "INVALID_ARGUMENT", reason: "TOO_MANY_INTERESTS", isFinal: false },
    });
  }
  await server.publish("PLAYLIST", "99", "the others go on");
  await eventually(() => hooks.get("99")?.pokes.length === 1);

  hooks.delete("0");
  hooks.delete("1");
  rerender(page(hooks));
  await eventually(() => areLive(hooks) === 100);
  await server.publish("PLAYLIST", "101", "and so do these");
  await eventually(() => hooks.get("101")?.pokes.length === 1);
  expect(hooks.get("101")?.now.error).toBeUndefined();
  for (const seen of hooks.values()) expect(seen.statuses).not.toContain("failed");
});
