// What the SDK does with the real server, whatever carries it.
import { getEventListeners, once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import {
  type ClientOptions,
  encodedSize,
  type Interest,
  type PokeClient,
  PokeError,
  type PokeEvent,
  type SavedPosition,
} from "multicast-poke";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Network } from "../../../../tests/browser/harness/network.js";
import { Server, type ServerOptions } from "../../../../tests/browser/harness/server.js";

export const A: Interest = { domain: "PLAYLIST", filter: "a" };

/** What is stopped after each test. */
export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function startServer(
  settings: NonNullable<ServerOptions["settings"]> = {},
  options: ServerOptions = {},
): Promise<Server> {
  const server = await Server.start({ settings: { "stream.reconnect_spread": '"500ms"', ...settings }, ...options });
  cleanups.push(() => server.kill());
  return server;
}

const eventually = (holds: () => unknown, timeout = 20_000) =>
  vi.waitFor(
    async () => {
      if (!(await holds())) throw new Error(`not yet: ${holds}`);
    },
    { timeout, interval: 20 },
  );

/** What a listener hears. */
class Ear {
  readonly events: PokeEvent[] = [];
  readonly errors: PokeError[] = [];
  readonly stop: () => void;

  constructor(client: PokeClient, interests: Interest | Interest[], options = {}) {
    this.stop = client.listen(
      interests,
      { onEvent: (event) => this.events.push(event), onError: (error) => this.errors.push(error) },
      options,
    );
  }

  of<T extends PokeEvent["type"]>(type: T): Extract<PokeEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<PokeEvent, { type: T }> => event.type === type);
  }

  get data(): unknown[] {
    return this.of("poke").map(({ data }) => data);
  }

  heard(type: PokeEvent["type"], count = 1): Promise<void> {
    return eventually(() => this.of(type).length >= count);
  }
}

/** The tests of a transport. They are skipped where no server was built. */
export function behaves(
  protocol: "gRPC" | "gRPC-Web",
  createClient: (url: string, options?: ClientOptions) => PokeClient,
): void {
  describe.skipIf(!process.env.POKE_BIN_DIR)(protocol, () => tests(protocol, createClient));
}

function tests(protocol: "gRPC" | "gRPC-Web", createClient: (url: string, options?: ClientOptions) => PokeClient): void {
  function connect(url: string, options = {}): PokeClient {
    const client = createClient(url, options);
    cleanups.push(() => client.close());
    return client;
  }

  test("what is published arrives, once for each listener, and is plain JSON", async () => {
    const server = await startServer();
    const client = connect(server.url);
    const [one, two] = [new Ear(client, [A, A]), new Ear(client, A)];
    await one.heard("live");
    const values = [undefined, "", null, false, 0, { list: [1.5, "é", [null]], deep: { a: {} } }];
    const answers = [];
    for (const data of values) answers.push(await client.publish({ ...A, data }));
    await one.heard("poke", values.length);
    await two.heard("poke", values.length);
    expect(one.data).toEqual(values);
    expect(two.data).toEqual(values);
    expect(answers[0]).toMatchObject({ localReceiverCount: 1, duplicate: false });
    expect(one.of("poke").map(({ position }) => position)).toEqual(answers.map(({ position }) => position));
    const json = JSON.parse(JSON.stringify(one.of("poke")[1]));
    expect(json).toMatchObject({
      type: "poke",
      interest: A,
      data: "",
      position: { sequence: expect.stringMatching(/^\d+$/) },
    });
    expect(Math.abs(Date.now() - (one.of("poke")[0]?.publishTime.getTime() ?? 0))).toBeLessThan(60_000);
    one.stop();
    await client.publish({ ...A, data: "for the other" });
    await eventually(() => two.data.at(-1) === "for the other");
    expect(one.data).toHaveLength(values.length);
  });

  test("leaving the loop cancels the call at the server, while another client goes on", async () => {
    const server = await startServer();
    const [client, other] = [connect(server.url), connect(server.url)];
    const ear = new Ear(other, A);
    await ear.heard("live");
    for await (const event of client.pokes(A)) if (event.type === "live") break;
    await eventually(async () => (await server.metric("poke_streams_open")) === 1);
    await other.publish({ ...A, data: 1 });
    await ear.heard("poke");
    other.close();
    await eventually(async () => (await server.metric("poke_streams_open")) === 0);
  });

  test("24 nested lists arrive and 25 are refused before they are sent; the largest poke arrives, and one byte more is refused", async () => {
    const server = await startServer();
    const client = connect(server.url);
    const ear = new Ear(client, A);
    await ear.heard("live");
    const nested = (depth: number) => JSON.parse("[".repeat(depth) + "]".repeat(depth));
    await client.publish({ ...A, data: nested(24) });
    await expect(client.publish({ ...A, data: nested(25) })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const names = 2 + A.domain.length + 2 + A.filter.length;
    const text = "x".repeat(131_072 - names - (encodedSize("x".repeat(100_000)) - 100_000));
    await client.publish({ ...A, data: text });
    await ear.heard("poke", 2);
    expect(ear.data[0]).toEqual(nested(24));
    expect(ear.data[1]).toBe(text);
    const refused = expect(client.publish({ ...A, data: `${text}x` })).rejects;
    await refused.toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "POKE_TOO_LARGE", isFinal: true });
  });

  test("a lost connection is resumed without a loss, and without a gap", async () => {
    const server = await startServer();
    const network = await Network.start(server.port);
    cleanups.push(() => network.stop());
    const client = connect(`http://127.0.0.1:${network.port}`);
    const ear = new Ear(client, A);
    await ear.heard("live");
    for (let round = 0; round < 3; round += 1) {
      await server.publish(A.domain, A.filter, { round, before: true });
      network.cut();
      await server.publish(A.domain, A.filter, { round, before: false });
      await ear.heard("live", round + 2);
      await ear.heard("poke", 2 * round + 2);
    }
    expect(ear.data).toEqual([0, 1, 2].flatMap((round) => [true, false].map((before) => ({ round, before }))));
    expect(ear.of("gap")).toEqual([]);
    expect(ear.of("reconnecting").length).toBeGreaterThanOrEqual(3);
    expect(ear.of("live").at(-1)?.outcome).toBe("recovered");
  });

  test("a connection that has died without a word is left after two and a half heartbeats, and nothing is lost", async () => {
    const server = await startServer({ "stream.heartbeat_interval": '"1s"' });
    const network = await Network.start(server.port);
    cleanups.push(() => network.stop());
    const client = connect(`http://127.0.0.1:${network.port}`);
    const ear = new Ear(client, A);
    await ear.heard("live");
    network.lose();
    const lost = Date.now();
    await server.publish(A.domain, A.filter, "meanwhile");
    await ear.heard("reconnecting");
    expect(Date.now() - lost).toBeLessThan(5000);
    network.restore();
    await ear.heard("poke");
    expect([ear.data, ear.of("gap")]).toEqual([["meanwhile"], []]);
    await client.publish({ ...A, data: "and from here" });
    await ear.heard("poke", 2);
  });

  test("saved positions go on in another client", async () => {
    const server = await startServer();
    const client = connect(server.url);
    const ear = new Ear(client, A);
    await ear.heard("live");
    await client.publish({ ...A, data: 1 });
    await ear.heard("poke");
    const saved: SavedPosition[] = JSON.parse(JSON.stringify(client.positions()));
    client.close();
    await server.publish(A.domain, A.filter, 2);
    const later = new Ear(connect(server.url), A, { positions: saved });
    await later.heard("poke");
    expect(later.data).toEqual([2]);
    const newest = new Ear(connect(server.url), A, { latest: true });
    await newest.heard("poke");
    expect(newest.data).toEqual([2]);
  });

  test("after kill -9 and a restart there is a gap, and the next poke comes within 15 seconds", async () => {
    const server = await startServer();
    const client = connect(server.url);
    const ear = new Ear(client, A);
    await ear.heard("live");
    await client.publish({ ...A, data: "before" });
    await ear.heard("poke");
    await server.kill();
    await server.restart();
    const restarted = Date.now();
    await client.publish({ ...A, data: "after" });
    await ear.heard("poke", 2);
    expect(Date.now() - restarted).toBeLessThan(15_000);
    expect(ear.of("gap")).toMatchObject([{ reason: "epoch_changed", reloadAfter: expect.any(Number) }]);
    expect(ear.data).toEqual(["before", "after"]);
  });

  test("a server that drains loses nothing: each poke once and in order, and no reconnecting", async () => {
    const server = await startServer({
      "stream.max_age": '"2s"',
      "stream.max_age_jitter": "0.1",
      "stream.move_timeout": '"2s"',
    });
    const client = connect(server.url);
    const ear = new Ear(client, A);
    await ear.heard("live");
    let sent = 0;
    while (ear.of("connected").length < 4) {
      sent += 1;
      await client.publish({ ...A, data: sent });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ear.heard("poke", sent);
    expect(ear.data).toEqual(Array.from({ length: sent }, (_, at) => at + 1));
    expect([ear.of("gap"), ear.of("reconnecting"), ear.of("live").length]).toEqual([[], [], 1]);
    await eventually(async () => (await server.metric("poke_streams_open")) === 1);
  });

  test("SIGTERM moves the client to the next server, with a gap as its log is another", async () => {
    const server = await startServer({ "drain.window": '"2s"', "drain.deadline": '"6s"' });
    const client = connect(server.url);
    const ear = new Ear(client, A);
    await ear.heard("live");
    server.drain();
    await server.exited();
    await server.restart();
    await client.publish({ ...A, data: "from the next" });
    await ear.heard("poke");
    expect(ear.of("gap")).toHaveLength(1);
    expect(ear.errors).toEqual([]);
  });

  test("an end is told to those who listen and to those who come late; then the loop is over", async () => {
    const server = await startServer();
    const client = connect(server.url);
    const ear = new Ear(client, A);
    await ear.heard("live");
    await client.publish({ ...A, data: 1 });
    const { position } = await client.endInterest({ ...A, data: "bye" });
    expect(await client.endInterest({ ...A, data: "again" })).toEqual({ position });
    const seen: PokeEvent[] = [];
    for await (const event of client.pokes(A)) seen.push(event);
    expect(seen.at(-1)).toEqual({ type: "ended", interest: A, position, data: "bye" });
    await ear.heard("ended");
    expect(ear.data).toEqual([1]);
    await expect(client.publish(A)).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "INTEREST_ENDED",
      isFinal: true,
    });
    await eventually(async () => (await server.metric("poke_streams_open")) === 0);
  });

  test("a refused interest is told, and the others go on; a refused publish says what is wrong", async () => {
    const server = await startServer();
    const client = connect(server.url);
    const bad = { domain: "PLAYLIST", filter: `${"x".repeat(300)}` };
    const ear = new Ear(client, [bad, { domain: "no domain", filter: "b" }, A]);
    await ear.heard("rejected", 2);
    await ear.heard("live");
    expect(ear.of("rejected").map(({ interest, code, reason, isFinal }) => [interest, code, reason, isFinal])).toEqual([
      [bad, "INVALID_ARGUMENT", "INVALID_FILTER", true],
      [{ domain: "no domain", filter: "b" }, "INVALID_ARGUMENT", "INVALID_DOMAIN", true],
    ]);
    await client.publish({ ...A, data: 1 });
    await ear.heard("poke");
    const error = await client.publish(bad).catch((error) => error);
    expect(error).toBeInstanceOf(PokeError);
    expect(error).toMatchObject({ reason: "INVALID_FILTER", violations: [{ field: "filter" }], retryDelay: undefined });
    expect(error.message.length).toBeGreaterThan(10);
  });

  test("what is over the limit of interests waits, harms nobody, and is live when there is room", async () => {
    const [b, c] = [
      { domain: "PLAYLIST", filter: "b" },
      { domain: "PLAYLIST", filter: "c" },
    ];
    const server = await startServer({ "stream.max_interests": "2" });
    const client = connect(server.url);
    const one = new Ear(client, A);
    await one.heard("live");
    const two = new Ear(client, b);
    await two.heard("live");
    const three = new Ear(client, c);
    await three.heard("rejected");
    expect(three.of("rejected")).toMatchObject([
      { interest: c, code: "INVALID_ARGUMENT", reason: "TOO_MANY_INTERESTS", isFinal: false },
    ]);
    await client.publish({ ...A, data: 1 });
    await client.publish({ ...b, data: 2 });
    await one.heard("poke");
    await two.heard("poke");
    one.stop();
    await three.heard("live");
    await client.publish({ ...c, data: 3 });
    await three.heard("poke");

    // The limit falls while both are live, and rises again.
    await server.kill();
    await server.restart({ "stream.max_interests": "1" });
    await three.heard("rejected", 2);
    await two.heard("live", 2);
    await client.publish({ ...b, data: 4 });
    await two.heard("poke", 2);
    await server.kill();
    await server.restart({ "stream.max_interests": "2" });
    await three.heard("live", 2);
    await client.publish({ ...c, data: 5 });
    await three.heard("poke", 2);
    expect([two.data, three.data]).toEqual([
      [2, 4],
      [3, 5],
    ]);
    expect([one, two, three].flatMap(({ errors }) => errors)).toEqual([]);
    expect([...one.of("rejected"), ...two.of("rejected")]).toEqual([]);
  });

  test("a key makes a repeat harmless, and other content under it is refused", async () => {
    const server = await startServer();
    const client = connect(server.url);
    const poke = { ...A, data: { a: 1, b: 2 }, idempotencyKey: "k" };
    const first = await client.publish(poke);
    expect(await client.publish({ ...poke, data: { b: 2, a: 1 } })).toMatchObject({
      position: first.position,
      duplicate: true,
    });
    await expect(client.publish({ ...poke, data: 3 })).rejects.toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
  });

  test("a reader that is behind waits without memory, and is told of a gap or of each poke", async () => {
    const server = await startServer({ "stream.stall_timeout": '"30s"', 'domains."*".retain_pokes': "8" });
    const client = connect(server.url, { eventBuffer: 4 });
    const iterator = client.pokes(A)[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    const text = "x".repeat(100_000);
    for (let count = 0; count < 60; count += 1) await server.publish(A.domain, A.filter, text);
    // The stream that waits doesn't take the connection from other calls.
    await client.publish({ ...A, data: "last" });
    const kinds: string[] = [];
    for (let isLast = false; !isLast; ) {
      const { value } = await iterator.next();
      kinds.push(value?.type);
      isLast = value?.type === "poke" && value.data === "last";
    }
    expect(kinds.filter((kind) => kind === "poke").length === 61 || kinds.includes("gap")).toBe(true);
  });

  for (const count of [20, 200]) {
    test(`${count} calls at once with one signal are no leak to Node`, async () => {
      const warnings: Error[] = [];
      const warn = (warning: Error) => warnings.push(warning);
      process.on("warning", warn);
      cleanups.push(() => process.off("warning", warn));
      const server = await startServer();
      const client = connect(server.url, { token: async () => "" });
      const { signal } = new AbortController();
      const ears = Array.from({ length: count }, () => new Ear(client, A, { signal }));
      await ears[0]?.heard("live");
      const other = { domain: "PLAYLIST", filter: "other" };
      await Promise.all(Array.from({ length: count }, () => client.publish(other, { signal })));
      await client.publish(A);
      for (const ear of ears) await ear.heard("poke");
      for (const { stop } of ears) stop();
      expect(getEventListeners(signal, "abort")).toEqual([]);
      expect(warnings).toEqual([]);
    });
  }

  test("nobody listens there, and then somebody does", async () => {
    const server = await startServer();
    await server.kill();
    const client = connect(server.url);
    const ear = new Ear(client, A);
    await ear.heard("reconnecting");
    expect(ear.of("reconnecting")[0]?.cause).toMatchObject({ code: "UNAVAILABLE", isFinal: false });
    await expect(client.publish(A, { deadline: 1_500 })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await server.restart();
    await ear.heard("live");
  });

  test("of an answer that isn't gRPC the HTTP status decides", async () => {
    let status = 503;
    const answer = (_: unknown, response: { writeHead(status: number, headers: object): { end(text: string): unknown } }) =>
      response.writeHead(status, { "content-type": "text/html" }).end("<p>a proxy</p>");
    const proxy = protocol === "gRPC" ? http2.createServer(answer as never) : http.createServer(answer as never);
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    cleanups.push(() => proxy.close());
    const client = connect(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const ear = new Ear(client, A);
    await ear.heard("reconnecting");
    expect(ear.of("reconnecting")[0]?.cause).toMatchObject({ httpStatus: 503, isFinal: false });
    status = 404;
    await eventually(() => ear.errors.length > 0);
    expect(ear.errors).toMatchObject([{ httpStatus: 404, isFinal: true }]);
    status = 200;
    await expect(client.publish(A)).rejects.toMatchObject({ httpStatus: 200, isFinal: true });
    status = 431;
    await expect(client.publish(A)).rejects.toThrow(/the token is/);
  });
}
