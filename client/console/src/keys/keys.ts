import { type Kept, tabStorage } from "../storage.js";
import { Store } from "../store.js";

/** What its user has proved by. Empty is nothing. */
export interface Keys {
  /** A token or key to listen with. */
  listen: string;
  /** A key or token to publish and end with. */
  publish: string;
  /** A key or token of an admin, to see the server's state with. */
  admin: string;
}

const NOTHING: Keys = { listen: "", publish: "", admin: "" };
const NAME = "poke-console-keys";

/** Keys live in the page's memory and, if that is wanted, in the tab's storage: never in a URL, and on no disk of ours. */
export class Keyring {
  readonly keys: Store<Keys>;
  readonly #storage: Kept;

  constructor(storage = tabStorage()) {
    this.#storage = storage;
    this.keys = new Store(read(storage));
  }

  /** Whether they outlive a reload of the page. */
  get isKept(): boolean {
    return this.#storage.getItem(NAME) !== null;
  }

  set(keys: Keys, isKept: boolean): void {
    if (isKept) this.#storage.setItem(NAME, JSON.stringify(keys));
    else this.#storage.removeItem(NAME);
    this.keys.value = keys;
  }

  forget(): void {
    this.set(NOTHING, false);
  }
}

function read(storage: Kept): Keys {
  try {
    return { ...NOTHING, ...(JSON.parse(storage.getItem(NAME) ?? "{}") as Partial<Keys>) };
  } catch {
    return NOTHING;
  }
}
