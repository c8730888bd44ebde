// A page that listens with the SDK as an app would, and keeps what it is told for the test to read.
import { encodedSize, type Interest, type ListenOptions, type PokeClient, type PokeEvent } from "multicast-poke";
import { createClient } from "multicast-poke/web";

export class Listener {
  client: PokeClient | undefined;
  readonly events: PokeEvent[] = [];
  readonly errors: string[] = [];
  readonly #stops = new Map<string, () => void>();
  readonly encodedSize = encodedSize;

  /** The page's only client. */
  connect(url: string): PokeClient {
    this.client ??= createClient(url);
    return this.client;
  }

  /** Listens by callbacks, as one component of the page; `stop` takes its name. */
  listen(url: string, interests: Interest[], options: ListenOptions = {}, name = "component"): void {
    const keep = (event: PokeEvent) => this.events.push(event);
    const onError = (error: Error) => this.errors.push(String(error));
    this.#stops.set(name, this.connect(url).listen(interests, { onEvent: keep, onError }, options));
  }

  stop(name = "component"): void {
    this.#stops.get(name)?.();
  }

  /** Listens by a loop, which it leaves after `count` pokes. */
  async loop(url: string, interest: Interest, count: number): Promise<void> {
    let left = count;
    for await (const event of this.connect(url).pokes(interest)) {
      this.events.push(event);
      if (event.type === "poke" && --left === 0) break;
    }
  }
}

declare global {
  interface Window {
    listener: Listener;
  }
}

window.listener = new Listener();
