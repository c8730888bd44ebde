import { once } from "node:events";
import net from "node:net";

/** The network between a browser and a server, with its faults. */
export class Network {
  readonly #listener: net.Server;
  readonly #open = new Set<net.Socket>();
  #isHole = false;

  private constructor(target: number) {
    this.#listener = net.createServer((client) => {
      const server = net.connect(target, "127.0.0.1");
      this.#forward(client, server);
      this.#forward(server, client);
    });
  }

  /** A way on a free port, in front of a port of this machine. */
  static async start(target: number): Promise<Network> {
    const network = new Network(target);
    network.#listener.listen(0, "127.0.0.1");
    await once(network.#listener, "listening");
    return network;
  }

  get port(): number {
    return (this.#listener.address() as net.AddressInfo).port;
  }

  /** Breaks every connection that is open now. */
  cut(): void {
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  /** From now on all that is sent is lost, and no end is told: as for a phone that has changed its network. */
  lose(): void {
    this.#isHole = true;
  }

  /** The network is back. What was open before stays dead, and nobody is told. */
  restore(): void {
    for (const socket of this.#open) socket.removeAllListeners("data").resume();
    this.#isHole = false;
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #forward(from: net.Socket, to: net.Socket): void {
    this.#open.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => {
      if (!this.#isHole && to.writable) to.write(bytes);
    });
    from.on("error", () => {});
    from.on("close", () => {
      this.#open.delete(from);
      if (!this.#isHole) to.destroy();
    });
  }
}
