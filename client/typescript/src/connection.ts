import type { Wire } from "./wire.js";

/** A connection, or what stands for one where the platform has a pool of its own. It opens with its first call. */
export interface Connection {
  readonly wire: Wire;
  /** No call uses it any more. */
  close?(): void;
}

/** A connection and how many calls use it. */
interface Line {
  readonly connection: Connection;
  calls: number;
}

/** Holds the connection that new calls use, and those that calls still use. */
export class Connections {
  #current: Line | undefined;
  readonly #open = new Set<Line>();

  readonly #connect: () => Connection;

  constructor(connect: () => Connection) {
    this.#connect = connect;
  }

  /** The connection for a new call. It stays open until `release`. */
  take(): Line {
    if (!this.#current) {
      this.#current = { connection: this.#connect(), calls: 0 };
      this.#open.add(this.#current);
    }
    this.#current.calls += 1;
    return this.#current;
  }

  release(line: Line): void {
    line.calls -= 1;
    this.#closeUnused(line);
  }

  /** No new call uses it: its server has said GOAWAY, or nothing comes through it. The calls on it go on. */
  retire(line: Line): void {
    if (this.#current === line) this.#current = undefined;
    this.#closeUnused(line);
  }

  close(): void {
    for (const { connection } of this.#open) connection.close?.();
    this.#open.clear();
    this.#current = undefined;
  }

  #closeUnused(line: Line): void {
    if (line.calls > 0 || line === this.#current || !this.#open.delete(line)) return;
    line.connection.close?.();
  }
}

export type { Line };
