import { act } from "@testing-library/react";
import type { PokeReceived } from "multicast-poke";
import { type MulticastPoke, type MulticastPokeOptions, useMulticastPoke } from "multicast-poke/react";
import { createElement, type ReactElement, useEffect } from "react";
import { vi } from "vitest";

/** Waits until the condition holds; React gets to work meanwhile. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(
    async () => {
      const done = await act(async () => holds());
      if (!done) throw new Error(`not yet: ${holds}`);
    },
    { timeout: 20_000, interval: 25 },
  );
}

/** What a component of {@link Listener} has shown and called. */
export class Seen {
  /** The hook's result in each render. */
  readonly renders: MulticastPoke[] = [];
  /** What `handlePoke` was called with. */
  readonly pokes: PokeReceived[] = [];

  get now(): MulticastPoke {
    const last = this.renders.at(-1);
    if (!last) throw new Error("nothing was rendered");
    return last;
  }

  get data(): unknown[] {
    return this.pokes.map((poke) => poke.data);
  }

  /** The statuses in their order, each once. */
  get statuses(): string[] {
    return this.renders.map(({ status }) => status).filter((status, at, all) => status !== all[at - 1]);
  }
}

export interface ListenerProps extends MulticastPokeOptions {
  seen: Seen;
  domain?: string;
  filter?: string;
  /** "effect", as the README has it; or "call": the test calls `startPoke` itself. */
  start?: "effect" | "call";
  handle?: (poke: PokeReceived) => void;
}

/** A component as a user would write it. */
export function Listener({ seen, domain = "PLAYLIST", filter = "1", start = "effect", handle, ...options }: ListenerProps) {
  const poke = useMulticastPoke(domain, filter, handle ?? ((poke) => seen.pokes.push(poke)), options);
  seen.renders.push(poke);
  const { startPoke, stopPoke } = poke;
  useEffect(() => {
    if (start === "call") return;
    startPoke();
    return stopPoke;
  }, [start, startPoke, stopPoke]);
  return createElement("p", null, JSON.stringify(poke.lastPoke?.data)) as ReactElement;
}
