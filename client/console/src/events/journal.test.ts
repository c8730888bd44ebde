import { describe, expect, it } from "vitest";
import { type Event, Journal, KEPT } from "./journal.js";
import { details, says } from "./words.js";

const interest = { domain: "PLAYLIST", filter: "42" };
const position = { epoch: "e", sequence: "7" };
const poke = (data: number): Event => ({ type: "poke", interest, data, position, publishTime: new Date(0) });

/** A journal whose frames are drawn by hand. */
function journal() {
  const due: (() => void)[] = [];
  const made = new Journal((show) => due.push(show));
  return { made, due, draw: () => due.splice(0).forEach((show) => void show()) };
}

describe("the journal", () => {
  it("keeps the newest events, and says how many there were", () => {
    const { made, draw } = journal();
    for (let n = 1; n <= KEPT + 10; n++) made.add(poke(n));
    draw();
    const { entries, total } = made.shown.value;
    expect([entries.length, total, entries[0]?.event]).toEqual([KEPT, KEPT + 10, poke(KEPT + 10)]);
  });

  it("is drawn once for all that comes at once", () => {
    const { made, due } = journal();
    for (let n = 0; n < 100; n++) made.add(poke(n));
    expect(due).toHaveLength(1);
  });

  it("shows nothing new while it is paused, and all of it afterwards", () => {
    const { made, draw } = journal();
    made.add(poke(1));
    draw();
    made.pause();
    made.add(poke(2));
    draw();
    expect([made.shown.value.entries.length, made.shown.value.waiting]).toEqual([1, 1]);
    made.resume();
    expect([made.shown.value.entries.length, made.shown.value.waiting]).toEqual([2, undefined]);
  });
});

describe("words", () => {
  it("tell data that is not there, null and an empty text apart", () => {
    const said = [undefined, null, ""].map((data) => says({ ...poke(0), data } as Event));
    expect(said).toEqual(["no data", "null", '""']);
  });

  it("say how much is lost, and where", () => {
    const gap: Event = { type: "gap", interest, reason: "lagged", position, missedCount: 3, reloadAfter: 10 };
    expect(says(gap)).toBe("this page read too slowly, 3 pokes missed");
    expect(details(gap, new Date())).toContainEqual(["Position", "e:7"]);
  });
});
