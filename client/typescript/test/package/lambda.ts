import { randomUUID } from "node:crypto";
import { expect, vi } from "vitest";
import type { Program } from "./program.js";

/** A Lambda: its process stays between invocations, and is frozen now and then. */
export class Lambda {
  /** Milliseconds that the last invocation has taken. */
  took = 0;
  #invocations = 0;

  constructor(readonly program: Program) {}

  /** Invokes it with so many milliseconds to live, again if the id is that of an earlier time: its answer, or what it has thrown. */
  async invoke(event: unknown, remaining = 10_000, id: string = randomUUID()): Promise<unknown> {
    this.program.tell(JSON.stringify({ event, remaining, id }));
    this.#invocations += 1;
    await vi.waitFor(() => expect(this.program.lines).toHaveLength(this.#invocations), { timeout: 20_000, interval: 10 });
    const { answer, error, took } = JSON.parse(this.program.lines.at(-1) ?? "");
    this.took = took;
    return answer ?? error;
  }

  freeze(): void {
    this.program.signal("SIGSTOP");
  }

  thaw(): void {
    this.program.signal("SIGCONT");
  }
}
