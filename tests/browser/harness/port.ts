import { once } from "node:events";
import net from "node:net";

/** A port of loopback that is free now: for programs that can't choose one themselves. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until something listens there, as long as `isStarting` says so. */
export async function listening(port: number, isStarting: () => boolean): Promise<void> {
  while (isStarting()) {
    const socket = net.connect(port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((told) => {
      socket.once("connect", () => told(true));
      socket.once("error", () => told(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((tick) => setTimeout(tick, 20));
  }
  throw new Error("the program has ended");
}
