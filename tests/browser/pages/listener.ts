// A page that listens with the SDK as an app would, and keeps what it is told for the test to read.
import { encodedSize, type Interest, type ListenOptions, type PokeClient, PokeError, type PokeEvent } from "multicast-poke";
import { createClient } from "multicast-poke/web";

/** What the page was told, and when by its clock. */
export type Told = PokeEvent & { at: number };

/** One component of the page. */
interface Component {
  events: Told[];
  errors: PokeError[];
  stop: () => void;
}

export class Listener {
  #client: PokeClient | undefined;
  readonly #components = new Map<string, Component>();
  readonly encodedSize = encodedSize;

  /** The page's only client. The token counts when it is made. */
  client(url: string, token?: string): PokeClient {
    this.#client ??= createClient(url, { token });
    return this.#client;
  }

  /** Listens by callbacks, as one component of the page. */
  listen(url: string, interests: Interest[], options: ListenOptions = {}, name = "component"): void {
    const component: Component = { events: [], errors: [], stop: () => {} };
    this.#components.set(name, component);
    const onEvent = (event: PokeEvent) => component.events.push({ ...event, at: Date.now() });
    const onError = (error: PokeError) => component.errors.push(error);
    component.stop = this.client(url).listen(interests, { onEvent, onError }, options);
  }

  events(name = "component"): Told[] {
    return this.#components.get(name)?.events ?? [];
  }

  stop(name = "component"): void {
    this.#components.get(name)?.stop();
  }

  /** Listens by a loop, and leaves it after `count` pokes, which it gives. */
  async loop(url: string, interest: Interest, count: number): Promise<unknown[]> {
    const pokes: unknown[] = [];
    for await (const event of this.client(url).pokes(interest)) {
      if (event.type === "poke") pokes.push(event.data);
      if (pokes.length === count) break;
    }
    return pokes;
  }

  /** What a call's failure says. */
  async failureOf(call: () => unknown): Promise<Partial<PokeError>> {
    try {
      await call();
      return {};
    } catch (error) {
      if (!(error instanceof PokeError)) throw error;
      const { code, reason, message, violations } = error;
      return { code, reason, message, violations };
    }
  }
}

declare global {
  interface Window {
    listener: Listener;
  }
}

window.listener = new Listener();
