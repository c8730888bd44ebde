import { useEffect, useState } from "preact/hooks";

/** A value that changes, and who looks at it. */
export class Store<T> {
  #value: T;
  readonly #lookers = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    if (Object.is(this.#value, value)) return;
    this.#value = value;
    for (const look of this.#lookers) look();
  }

  /** Calls `look` after each change. Returns what ends that. */
  subscribe(look: () => void): () => void {
    this.#lookers.add(look);
    return () => this.#lookers.delete(look);
  }
}

/** The value of a store, for a component. */
export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.value);
  useEffect(() => {
    const look = () => setValue(() => store.value);
    // It may have changed since it was rendered.
    look();
    return store.subscribe(look);
  }, [store]);
  return value;
}
