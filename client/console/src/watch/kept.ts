import type { Interest } from "multicast-poke";
import { type Kept, tabStorage } from "../storage.js";
import type { Watching } from "./watching.js";

const NAME = "poke-console-watched";

/** What is watched outlives a reload of the page, in this tab. */
export function keepWatched(watching: Watching, storage = tabStorage()): void {
  for (const interest of read(storage)) watching.add(interest, true);
  watching.watched.subscribe(() => {
    storage.setItem(NAME, JSON.stringify(watching.watched.value.map(({ interest }) => interest)));
  });
}

function read(storage: Kept): Interest[] {
  try {
    const kept = JSON.parse(storage.getItem(NAME) ?? "[]") as Interest[];
    return kept.filter(({ domain, filter }) => domain && filter);
  } catch {
    return [];
  }
}
