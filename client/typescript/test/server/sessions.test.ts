// The HTTP/2 connections of a client in Node.
import { once } from "node:events";
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "multicast-poke/node";
import { describe, expect, test, vi } from "vitest";
import { PublishResponseSchema } from "../../src/gen/poke/v1/poke_pb.js";
import { A, cleanups, startServer } from "./behaviour.js";

/** A peer that takes so many streams on a connection, and answers when it is told to. */
async function startPeer(maxConcurrentStreams: number) {
  const sessions = new Set<ServerHttp2Session>();
  const streams: ServerHttp2Stream[] = [];
  const server = http2.createServer({ settings: { maxConcurrentStreams } });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream) => streams.push(stream.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const answer = () => {
    for (const stream of streams.splice(0)) {
      stream.respond({ "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      const message = toBinary(PublishResponseSchema, create(PublishResponseSchema, { position: { epoch: "e" } }));
      stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    }
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sessions, streams, answer };
}

test("a call for which a connection has no stream left gets another connection, which ends when it is idle", async () => {
  const peer = await startPeer(2);
  const client = createClient(peer.url);
  cleanups.push(() => client.close());
  const publish = (count: number) => Array.from({ length: count }, () => client.publish(A));

  // The first time the client doesn't know yet how many streams the peer takes.
  for (const calls of [5, 2, 5]) {
    const published = publish(calls);
    await vi.waitFor(() => expect(peer.streams, "none waits for the others").toHaveLength(calls));
    expect(peer.sessions.size).toBe(Math.ceil(calls / 2));
    peer.answer();
    await Promise.all(published);
    await vi.waitFor(() => expect(peer.sessions.size).toBe(1));
  }
});

describe.skipIf(!process.env.POKE_BIN_DIR)("the real server", () => {
  test("takes a burst of calls beyond the streams of a connection, beside a subscription", async () => {
    const server = await startServer({ "limits.streams_per_connection": "2" });
    const client = createClient(server.url);
    cleanups.push(() => client.close());
    const [live, pokes] = [vi.fn(), vi.fn()];
    client.listen(A, { onLive: live, onPoke: pokes });
    await vi.waitFor(() => expect(live).toHaveBeenCalled());
    await Promise.all(Array.from({ length: 20 }, () => client.publish(A)));
    await vi.waitFor(() => expect(pokes).toHaveBeenCalledTimes(20));
    expect(await server.metric("poke_streams_opened_total"), "the subscription was never lost").toBe(1);
    await vi.waitFor(async () => expect(await server.metric("poke_connections_open")).toBeLessThanOrEqual(2));
  });
});
