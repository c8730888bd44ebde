import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Announcer } from "./announcer.js";
import { app } from "./app.js";
import { Store } from "./store.js";

let folder: string;
const announce = vi.fn();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "playlist-"));
  announce.mockReset();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What the back end says to the body of an edit. */
async function edit(body: string, headers: Record<string, string> = { "content-type": "application/json" }) {
  const backend = app(new Store(join(folder, "playlists.json")), { announce } as unknown as Announcer, { pokeUrl: "" }, ".");
  const answer = await backend.request("/api/playlists/sunday-evening/edits", { method: "POST", body, headers });
  return answer.status;
}

const rename = (name: string, id = "e") => JSON.stringify({ type: "rename", id, name });

test("an edit is stored once and announced once, also when it comes again after a restart", async () => {
  expect([await edit(rename("New")), await edit(rename("New"))]).toEqual([200, 200]);
  expect(announce.mock.calls).toEqual([["sunday-evening", { version: 1, edit: JSON.parse(rename("New")) }]]);
});

test.each([
  ["no JSON", "{", 400],
  ["no edit", "null", 400],
  ["a blank name", rename("  "), 400],
  ["half a surrogate pair, which no poke can carry", rename("\ud800"), 400],
  ["one in an id", rename("New", "\udc00"), 400],
  ["too much", rename("x".repeat(5000)), 413],
])("%s is refused, and announced to nobody", async (_, body, status) => {
  expect(await edit(body)).toBe(status);
  expect(announce).not.toHaveBeenCalled();
});

test("the page of another site can't edit", async () => {
  expect(await edit(rename("New"), { "content-type": "text/plain", origin: "https://other.example" })).toBe(403);
});
