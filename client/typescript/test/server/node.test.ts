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
