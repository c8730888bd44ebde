import { beforeEach, expect, it } from "vitest";
import { Keyring } from "./keys.js";

const KEYS = { listen: "a", publish: "b", admin: "c" };

/** As a tab has it. */
function storage(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => void items.set(name, value),
    removeItem: (name: string) => void items.delete(name),
    get length() {
      return items.size;
    },
  } as Storage;
}

let tab: Storage;
beforeEach(() => {
  tab = storage();
});

it("keeps keys in memory alone, unless that is wanted", () => {
  new Keyring(tab).set(KEYS, false);
  expect(tab.length).toBe(0);
  expect(new Keyring(tab).keys.value.admin).toBe("");
});

it("keeps them for a reload if that is wanted, until they are forgotten", () => {
  new Keyring(tab).set(KEYS, true);
  const again = new Keyring(tab);
  expect([again.keys.value, again.isKept]).toEqual([KEYS, true]);
  again.forget();
  expect([tab.length, again.keys.value.admin]).toEqual([0, ""]);
});

it("begins with nothing when what is stored can't be read", () => {
  tab.setItem("poke-console-keys", "{");
  expect(new Keyring(tab).keys.value.admin).toBe("");
});
