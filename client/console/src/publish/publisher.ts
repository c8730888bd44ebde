import type { InterestEnd, PokeClient, Publish, Published } from "multicast-poke";

/** Sends with the key that holds now. */
export class Publisher {
  readonly #connect: (key: string) => PokeClient;
  #key = "";
  #client: PokeClient | undefined;

  constructor(connect: (key: string) => PokeClient) {
    this.#connect = connect;
  }

  setKey(key: string): void {
    if (key === this.#key) return;
    this.#key = key;
    this.#client?.close();
    this.#client = undefined;
  }

  publish(poke: Publish): Promise<Published> {
    return this.#connected().publish(poke);
  }

  end(end: Publish): Promise<InterestEnd> {
    return this.#connected().endInterest(end);
  }

  #connected(): PokeClient {
    this.#client ??= this.#connect(this.#key);
    return this.#client;
  }
}
