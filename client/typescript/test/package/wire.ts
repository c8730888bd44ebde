import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Carries TCP connections to a port, and does to them what networks do. */
export class Wire {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #refuses = false;

  private constructor(port: number) {
    this.#server = createServer((client) => {
      if (this.#refuses) return client.destroy();
      const pair: [Socket, Socket] = [client, connect(port, "127.0.0.1")];
      this.#pairs.add(pair);
      for (const [from, to] of [pair, [...pair].reverse()] as [Socket, Socket][]) {
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => this.#pairs.delete(pair));
      }
      return client;
    });
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port);
    wire.#server.listen(0, "127.0.0.1");
    await once(wire.#server, "listening");
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Closes what is open. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** What is open stays open, and nothing goes through it any more. */
  silence(): void {
    for (const [client, server] of this.#pairs) {
      client.unpipe();
      server.unpipe();
      client.resume();
      server.resume();
    }
  }

  /** Closes each new connection at once. */
  refuse(): void {
    this.cut();
    this.#refuses = true;
  }

  mend(): void {
    this.#refuses = false;
    this.cut();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
