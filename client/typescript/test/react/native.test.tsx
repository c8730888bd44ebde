// React without a DOM, as in React Native; there `fetch` is expo's, here Node's.
import { PokeProvider } from "multicast-poke/react";
import { createClient } from "multicast-poke/web";
import { act, create, type ReactTestRenderer } from "react-test-renderer";
import { expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { Listener, Seen } from "./harness.js";

test("a hook without a DOM, with a fetch of its own", async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  const server = await Server.start();
  const fetch = vi.fn(globalThis.fetch);
  const client = createClient(server.url, { fetch });
  vi.stubGlobal("fetch", () => Promise.reject(new Error("the global fetch was called")));
  try {
    expect(typeof document).toBe("undefined");
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
    expect(fetch).toHaveBeenCalled();
    await act(async () => root?.unmount());
  } finally {
    vi.unstubAllGlobals();
    client.close();
    await server.stop();
  }
});
