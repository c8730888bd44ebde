// gRPC over HTTP/2 from Node.
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import type { PokeEvent } from "multicast-poke";
import { createClient } from "multicast-poke/node";
import { describe, expect, test, vi } from "vitest";
import { A, behaves, cleanups, startServer } from "./behaviour.js";

behaves("gRPC", createClient);

describe.skipIf(!process.env.POKE_BIN_DIR)("Node alone", () => {
  test("TLS, with the authority that is named, and a refusal without it", async () => {
    const server = await startServer({}, { tls: true });
    const client = createClient(server.url, { tls: { ca: server.pem } });
    cleanups.push(() => client.close());
    expect(await client.publish({ ...A, data: 1 })).toMatchObject({ duplicate: false });
    const stranger = createClient(server.url);
    cleanups.push(() => stranger.close());
    const events: PokeEvent[] = [];
    stranger.listen(A, { onEvent: (event) => events.push(event) });
    const error = await stranger.publish(A).catch((error) => error);
    expect(error, "at once, and nothing was sent").toMatchObject({ code: "UNAVAILABLE", isFinal: true });
    expect(error.message).toMatch(/no secure connection: (self-signed|unable to verify)/);
    await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain("reconnecting"));
  });

  test("a certificate of one's own that can't be read is told at once", async () => {
    const client = createClient("https://localhost:1", { tls: { cert: "none", key: "none" } });
    cleanups.push(() => client.close());
    const error = await client.publish(A).catch((error) => error);
    expect(error).toMatchObject({ code: "UNAVAILABLE", isFinal: true });
    expect(error.message).toMatch(/no secure connection/);
  });

  test("close ends a connection that is being opened", async () => {
    const sockets: net.Socket[] = [];
    const silent = net.createServer((socket) => void sockets.push(socket.on("error", () => {}))).listen(0, "127.0.0.1");
    cleanups.push(() => silent.close());
    await vi.waitFor(() => expect(silent.listening).toBe(true));
    const client = createClient(`https://127.0.0.1:${(silent.address() as net.AddressInfo).port}`);
    const published = client.publish(A).catch(({ code }) => code);
    await vi.waitFor(() => expect(sockets).toHaveLength(1));
    sockets[0]?.resume();
    client.close();
    expect(await published).toBe("CANCELLED");
    await vi.waitFor(() => expect(sockets[0]?.closed).toBe(true));
  });

  test("what is no address is refused as such", () => {
    // Such as a variable of the environment that isn't set.
    for (const url of [undefined, null, "", "poke.example.com", "http://h/path", "http://me:secret@h"]) {
      const make = () => createClient(url as string);
      expect(make, String(url)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
  });

  test("a UNIX socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "poke-sdk-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const server = await startServer();
    const socket = net.createServer((client) => {
      pipeline(client, net.connect(server.port, "127.0.0.1"), client, () => {});
    });
    socket.listen(`${folder}/socket`);
    cleanups.push(() => socket.close());
    const client = createClient(`unix:${folder}/socket`);
    cleanups.push(() => client.close());
    expect(await client.publish({ ...A, data: 1 })).toMatchObject({ duplicate: false });
  });
});
