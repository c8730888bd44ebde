import { beforeEach, expect, test, vi } from "vitest";
import { applyChange, type Change, type Edit, type Playlist } from "../model.js";
import { PlaylistCopy } from "./copy.js";

/** The back end, at which the test decides when an answer comes. */
const backend = vi.hoisted(() => ({ loadPlaylist: vi.fn(), saveEdit: vi.fn() }));
vi.mock("./backend.js", () => ({ ...backend, RefusedEdit: class extends Error {} }));

const EMPTY: Playlist = { id: "p", name: "Old", version: 0, tracks: [] };

const add = (id: string, after: string | null = null): Edit => ({
  type: "add",
  id: `add-${id}`,
  track: { id, title: id, artist: "x" },
  after,
});

const titles = (copy: PlaylistCopy) => copy.view().playlist?.tracks.map(({ title }) => title);

let stored: Playlist;
let changes: Change[];

beforeEach(() => {
  stored = EMPTY;
  changes = [];
  backend.loadPlaylist.mockImplementation(async () => stored);
  backend.saveEdit.mockImplementation(async (_id: string, edit: Edit) => {
    const change = { version: stored.version + 1, edit };
    stored = applyChange(stored, change);
    changes.push(change);
    return change;
  });
});

async function loaded(): Promise<PlaylistCopy> {
  const copy = new PlaylistCopy("p");
  await copy.load();
  return copy;
}

test("edits that cross lead to the same songs everywhere, whatever comes first", async () => {
  const [one, two] = [await loaded(), await loaded()];
  one.edit(add("a"));
  two.edit(add("b"));
  two.edit({ type: "rename", id: "rename", name: "New" });
  expect(titles(one)).toEqual(["a"]);
  expect(titles(two)).toEqual(["b"]);
  await vi.waitFor(() => expect(changes).toHaveLength(3));
  for (const change of changes) one.receive(change);
  for (const change of [...changes].reverse()) two.receive(change);
  await vi.waitFor(() => {
    for (const copy of [one, two]) expect(copy.view()).toMatchObject({ playlist: stored, unsaved: 0 });
  });
});

test("a version that is missing is fetched, one that is known changes nothing", async () => {
  const copy = await loaded();
  const first = await backend.saveEdit("p", add("a"));
  const second = await backend.saveEdit("p", add("b"));
  copy.receive(second);
  await vi.waitFor(() => expect(titles(copy)).toEqual(["b", "a"]));
  copy.receive(first);
  copy.receive(second);
  expect(titles(copy)).toEqual(["b", "a"]);
  expect(copy.view().theirs).toBeUndefined();
});

test("what comes while all of it is loaded isn't lost", async () => {
  const copy = await loaded();
  let answer = (_: Playlist) => {};
  backend.loadPlaylist.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  const early = stored;
  const loading = copy.load();
  copy.receive(await backend.saveEdit("p", add("a")));
  answer(early);
  await loading;
  expect(titles(copy)).toEqual(["a"]);
});
