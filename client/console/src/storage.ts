/** What of a Storage is used here. */
export type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The tab's storage; or memory, until the page goes, where the browser lets pages keep nothing. */
export function tabStorage(): Kept {
  try {
    // Where it is forbidden, the property itself throws.
    return window.sessionStorage;
  } catch {
    const kept = new Map<string, string>();
    return {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => void kept.set(name, value),
      removeItem: (name) => void kept.delete(name),
    };
  }
}
