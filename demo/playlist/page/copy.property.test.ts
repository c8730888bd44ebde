import fc from "fast-check";
import { beforeEach, expect, test, vi } from "vitest";
import { applyChange, type Change, type Edit, type Playlist } from "../model.js";
import { PlaylistCopy } from "./copy.js";

const backend = vi.hoisted(() => ({ loadPlaylist: vi.fn(), saveEdit: vi.fn() }));
vi.mock("./backend.js", () => ({ ...backend, RefusedEdit: class extends Error {} }));

const FIRST: Playlist = {
  id: "p",
  name: "Name",
  version: 0,
  tracks: ["a", "b", "c"].map((id) => ({ id, title: id, artist: "x" })),
};

/** A window, and the pokes that are on their way to it. */
interface Window {
  copy: PlaylistCopy;
  pokes: Change[];
  hasLost: boolean;
}

/** Windows around a store whose answers and pokes come when the test says so. */
class World {
  stored = FIRST;
  readonly windows: Window[] = [];
  /** Answers that the back end has given and nobody has yet. */
  readonly answers: (() => void)[] = [];

  constructor(count: number) {
    backend.loadPlaylist.mockImplementation(() => this.#later(this.stored));
    backend.saveEdit.mockImplementation((_: string, edit: Edit) => {
      const change = { version: this.stored.version + 1, edit };
      this.stored = applyChange(this.stored, change);
      for (const { pokes } of this.windows) pokes.push(change);
      return this.#later(change);
    });
    for (let index = 0; index < count; index++) {
      const copy = new PlaylistCopy("p");
      void copy.load();
      this.windows.push({ copy, pokes: [], hasLost: false });
    }
  }

  #later<T>(answer: T): Promise<T> {
    return new Promise((come) => this.answers.push(() => come(answer)));
  }

  /** Everything that is on its way arrives, and who has lost something is told of a gap. */
  async settle(): Promise<void> {
    for (const { copy, pokes, hasLost } of this.windows) {
      for (const poke of pokes.splice(0)) copy.receive(poke);
      if (hasLost) void copy.load();
    }
    for (;;) {
      for (const { copy, pokes } of this.windows) for (const poke of pokes.splice(0)) copy.receive(poke);
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      const answer = this.answers.shift();
      if (!answer) break;
      answer();
    }
  }
}

const songId = fc.constantFrom("a", "b", "c", "d", "e");
const place = fc.option(songId);
const edit = fc.oneof(
  fc.record({
    type: fc.constant("add" as const),
    track: songId.map((id) => ({ id, title: id, artist: "x" })),
    after: place,
  }),
  fc.record({ type: fc.constant("remove" as const), trackId: songId }),
  fc.record({ type: fc.constant("move" as const), trackId: songId, after: place }),
  fc.record({ type: fc.constant("rename" as const), name: fc.constantFrom("One", "Two") }),
);
const step = fc.oneof(
  fc.record({ do: fc.constant("edit" as const), window: fc.nat(2), edit }),
  fc.record({ do: fc.constantFrom("deliver" as const, "lose" as const, "answer" as const), window: fc.nat(2) }),
);

beforeEach(() => vi.resetAllMocks());

test("whatever is edited, delayed, reordered or lost: in the end all windows show what is stored", async () => {
  const run = async (steps: (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) => {
    const world = new World(3);
    for (const [index, action] of steps.entries()) {
      const window = world.windows[action.window];
      if (!window) continue;
      if (action.do === "edit") window.copy.edit({ ...action.edit, id: `edit-${index}` });
      if (action.do === "answer") world.answers.splice(action.window, 1)[0]?.();
      if (action.do === "deliver") for (const poke of window.pokes.splice(0, 1)) window.copy.receive(poke);
      if (action.do === "lose") window.hasLost = window.pokes.splice(0, 1).length > 0 || window.hasLost;
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
    await world.settle();
    for (const { copy } of world.windows) {
      expect(copy.view()).toMatchObject({ playlist: world.stored, unsaved: 0, refusal: undefined });
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), run), { numRuns: 1_000 });
});
