// A server renders without a window, and a browser takes over what it has rendered.
import { PokeProvider } from "multicast-poke/react";
import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { Listener, Seen } from "./harness.js";

test("a server renders the idle state, and opens nothing", () => {
  const fetch = vi.spyOn(globalThis, "fetch");
  const complaints = vi.spyOn(console, "error");
  const seen = new Seen();
  expect(typeof window).toBe("undefined");
  const html = renderToString(
    <PokeProvider url="http://127.0.0.1:1">
      <Listener seen={seen} />
    </PokeProvider>,
  );
  expect(html).toBe("<p></p>");
  expect(seen.statuses).toEqual(["idle"]);
  expect(fetch).not.toHaveBeenCalled();
  expect(complaints).not.toHaveBeenCalled();
});
