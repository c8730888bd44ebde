// The client on a paused clock, with a server in the same process.
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Peer } from "../test/peer.js";
import { PokeClient } from "./client.js";
import { PokeError } from "./error.js";
import { ReconnectReason } from "./gen/poke/v1/poke_pb.js";
import type { ClientOptions } from "./options.js";
import type { Device } from "./stream.js";
import type { Interest, PokeEvent } from "./types.js";

const A: Interest = { domain: "D", filter: "a" };
const B: Interest = { domain: "D", filter: "b" };

let peer: Peer;
let client: PokeClient;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  setUp();
});

afterEach(() => {
  client.close();
  expect(vi.getTimerCount(), "nothing is left").toBe(0);
  expect(peer.open).toEqual([]);
  expect(peer.closed).toBe(peer.connections);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function setUp(options: ClientOptions = {}, device?: Device): void {
  peer = new Peer();
  client = new PokeClient(peer.connect, options, device);
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

/** Lets the call be opened, and accepts it. */
async function goLive(): Promise<void> {
  await pass(1000);
  peer.newest.accept();
  await pass(0);
}

/** One that a test wakes. */
function device(wakes: Set<() => void>, isOffline = () => false): Device {
  const onWake = (wake: () => void) => {
    wakes.add(wake);
    return () => void wakes.delete(wake);
  };
  return { isOffline, onWake };
}

/** What a listener hears, in short. */
function listen(...interests: Interest[]) {
  const heard: string[] = [];
  const stop = client.listen(interests, {
    onEvent: (event) => heard.push(short(event)),
    onError: ({ code }) => heard.push(code),
  });
  return { heard, stop };
}

function short(event: PokeEvent): string {
  const position = event.type === "poke" ? ` ${event.position.sequence}` : "";
  return `${event.type}${"interest" in event ? ` ${event.interest.filter}` : ""}${position}`;
}

/** Takes what has come, without waiting. */
async function take(iterator: AsyncIterator<PokeEvent>): Promise<string> {
  const { done, value } = await iterator.next();
  return done ? "done" : short(value);
}

describe("listeners share one stream", () => {
  test("whoever waits for room is told so, also who joins later, and nobody else is", async () => {
    const [one, two] = [listen(A), listen(B, { domain: "D", filter: "c" })];
    await goLive();
    const last = listen({ domain: "D", filter: "d" });
    await pass(0);
    const joined = listen({ domain: "D", filter: "d" });
    await pass(2000);
    expect(one.heard).toEqual(["connected", "live a"]);
    expect(two.heard).toEqual(["connected", "live b", "live c"]);
    expect(last.heard).toEqual(["rejected d"]);
    expect(joined.heard).toEqual(["rejected d"]);
    expect(peer.calls).toHaveLength(1);
    one.stop();
    await goLive();
    expect(last.heard).toEqual(["rejected d", "connected", "live d"]);
    expect(joined.heard).toEqual(["rejected d", "connected", "live d"]);
  });

  test("an interest of two listeners is asked for once, delivered to both, and outlives one of them", async () => {
    const [one, two] = [listen(A, A), listen(A, B)];
    await goLive();
    expect(peer.newest.request.subscriptions.map((s: { interest: Interest }) => s.interest.filter)).toEqual(["a", "b"]);
    peer.newest.poke("a", 1);
    await pass(0);
    expect(one.heard).toEqual(["connected", "live a", "poke a 1"]);
    expect(two.heard).toEqual(["connected", "live a", "live b", "poke a 1"]);
    one.stop();
    one.stop();
    await pass(5000);
    peer.newest.poke("a", 2);
    await pass(0);
    expect(one.heard).toHaveLength(3);
    expect(two.heard.at(-1)).toBe("poke a 2");
    expect(peer.calls).toHaveLength(1);
  });

  test("who joins what is live is told so at once, and not before it has its way to stop", async () => {
    listen(A);
    await goLive();
    const late = listen(A);
    expect(late.heard).toEqual([]);
    await pass(0);
    expect(late.heard).toEqual(["live a"]);
    expect(peer.calls).toHaveLength(1);
  });

  test("the last who leaves cancels the call, and a double mount makes one call", async () => {
    listen(A).stop();
    const { heard, stop } = listen(A);
    await goLive();
    expect(peer.calls).toHaveLength(1);
    stop();
    peer.newest.poke("a", 1);
    await pass(1000);
    expect(heard).toEqual(["connected", "live a"]);
    expect(peer.open).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("what a callback throws is the program's, and changes nothing", async () => {
    const uncaught: unknown[] = [];
    vi.spyOn(globalThis, "queueMicrotask").mockImplementation((callback) => {
      void Promise.resolve()
        .then(callback)
        .catch((error) => uncaught.push(error));
    });
    client.listen(A, {
      onPoke: () => {
        throw new Error("a bug");
      },
    });
    const { heard } = listen(A);
    await goLive();
    peer.newest.poke("a", 1);
    peer.newest.poke("a", 2);
    await pass(0);
    expect(heard.slice(2)).toEqual(["poke a 1", "poke a 2"]);
    expect(uncaught).toHaveLength(2);
  });
});

describe("a loop over pokes", () => {
  test("starts with its first next, and leaving it cancels the call", async () => {
    const pokes = client.pokes(A);
    await pass(1000);
    expect(peer.calls).toEqual([]);
    const seen: string[] = [];
    const loop = (async () => {
      for await (const event of pokes) {
        seen.push(short(event));
        if (event.type === "poke") break;
      }
    })();
    await goLive();
    peer.newest.poke("a", 1);
    await pass(1000);
    await loop;
    expect(seen).toEqual(["connected", "live a", "poke a 1"]);
    expect(peer.open).toEqual([]);
  });

  test("return ends a next that waits", async () => {
    const iterator = client.pokes(A)[Symbol.asyncIterator]();
    const waiting = take(iterator);
    await pass(1000);
    await iterator.return?.();
    expect(await waiting).toBe("done");
    await pass(1000);
    expect(peer.open).toEqual([]);
  });

  test("the signal ends it, also before it starts", async () => {
    const abort = new AbortController();
    const iterator = client.pokes(A, { signal: abort.signal })[Symbol.asyncIterator]();
    const waiting = take(iterator);
    await pass(1000);
    abort.abort();
    expect(await waiting).toBe("done");
    const late = client.pokes(A, { signal: abort.signal })[Symbol.asyncIterator]();
    expect(await take(late)).toBe("done");
    await pass(2000);
    expect(peer.open).toEqual([]);
  });

  test("it ends when each interest has ended or was finally rejected, whatever others listen to", async () => {
    listen(B);
    const iterator = client.pokes(A)[Symbol.asyncIterator]();
    const first = take(iterator);
    await goLive();
    peer.newest.say({
      case: "ended",
      value: { interest: { domain: "D", filter: "a" }, position: { epoch: "e", sequence: 1n } },
    });
    await pass(0);
    expect([await first, await take(iterator), await take(iterator), await take(iterator)]).toEqual([
      "connected",
      "live a",
      "ended a",
      "done",
    ]);
    expect(await take(iterator)).toBe("done");
    expect(peer.open).toHaveLength(1);
  });

  const rejected = ({ domain, filter }: Interest) =>
    ({
      case: "rejected",
      value: { interest: { domain, filter }, code: 5, reason: "DOMAIN_NOT_CONFIGURED", message: "no such domain" },
    }) as const;
  const ended = ({ domain, filter }: Interest) =>
    ({ case: "ended", value: { interest: { domain, filter }, position: { epoch: "e", sequence: 1n } } }) as const;

  for (const order of [
    [rejected(A), ended(B)],
    [ended(B), rejected(A)],
  ]) {
    test(`a loop that loses an interest to a refusal throws when it is over: ${order.map((event) => event.case)}`, async () => {
      const iterator = client.pokes([A, B])[Symbol.asyncIterator]();
      const first = take(iterator);
      await goLive();
      for (const event of order) peer.newest.say(event);
      await pass(0);
      const taken = [await first];
      for (let count = 0; count < 4; count += 1) taken.push(await take(iterator));
      expect(taken.slice(3)).toEqual(order.map((event) => `${event.case} ${event.value.interest.filter}`));
      const error = await iterator.next().catch((error) => error);
      expect(error).toBeInstanceOf(PokeError);
      expect(error).toMatchObject({
        code: "NOT_FOUND",
        reason: "DOMAIN_NOT_CONFIGURED",
        isFinal: true,
        message: 'the interest "D" "a" is refused: no such domain',
        rejected: [{ interest: A }],
      });
      expect(await take(iterator)).toBe("done");
      expect(peer.open).toEqual([]);
    });
  }

  test("a refusal that a loop handles lets it end, and is the other loop's own", async () => {
    const [handles, throws] = [client.pokes([A, B])[Symbol.asyncIterator](), client.pokes(A)[Symbol.asyncIterator]()];
    const firsts = [take(handles), take(throws)];
    await goLive();
    peer.newest.say(rejected(A));
    peer.newest.say(rejected(B));
    await pass(0);
    await Promise.all(firsts);
    for (let done = false; !done; ) {
      const { value: event, done: isDone } = await handles.next();
      done = isDone ?? false;
      if (event?.type !== "rejected") continue;
      event.markHandled();
      expect(Object.keys(event)).toEqual(["type", "interest", "code", "reason", "message", "isFinal"]);
      expect(structuredClone(event)).toEqual(JSON.parse(JSON.stringify(event)));
    }
    expect([await take(throws), await take(throws)]).toEqual(["live a", "rejected a"]);
    await expect(throws.next()).rejects.toMatchObject({ reason: "DOMAIN_NOT_CONFIGURED" });
  });

  test("a loop that is left, or whose signal is aborted, doesn't throw", async () => {
    const abort = new AbortController();
    const loops = [client.pokes(A), client.pokes(A, { signal: abort.signal })].map((loop) => loop[Symbol.asyncIterator]());
    const firsts = loops.map(take);
    await goLive();
    peer.newest.say(rejected(A));
    await pass(0);
    await Promise.all(firsts);
    for (const loop of loops) expect([await take(loop), await take(loop)]).toEqual(["live a", "rejected a"]);
    await loops[0]?.return?.();
    abort.abort();
    for (const loop of loops) expect(await take(loop)).toBe("done");
  });

  test("callbacks: who gives onRejected has handled it, else onError hears it at the end, else the console at once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const heard: string[] = [];
    const onError = ({ message }: PokeError) => heard.push(message);
    const onRejected = ({ interest }: { interest: Interest }) => heard.push(`onRejected ${interest.filter}`);
    client.listen([A, B], { onRejected, onError });
    await goLive();
    peer.newest.say(rejected(A));
    peer.newest.say(rejected(B));
    await pass(0);
    expect(heard.splice(0)).toEqual(["onRejected a", "onRejected b"]);

    client.listen([A, B], { onError });
    await goLive();
    peer.newest.say(rejected(A));
    await pass(0);
    expect(heard).toEqual([]);
    peer.newest.say(ended(B));
    await pass(0);
    expect(heard.splice(0)).toEqual(['the interest "D" "a" is refused: no such domain']);
    expect(warn).not.toHaveBeenCalled();

    for (let count = 0; count < 3; count += 1) client.listen([A, B], { onPoke: () => {} });
    await goLive();
    peer.newest.say(rejected(A));
    await pass(0);
    const warned = [['Multicast Poke: the interest "D" "a" is refused: no such domain (DOMAIN_NOT_CONFIGURED)']];
    expect(warn.mock.calls, "once, and while the other interest goes on").toEqual(warned);
    peer.newest.fail(new PokeError("PERMISSION_DENIED", "not yours", { reason: "NOT_GRANTED" }));
    await pass(0);
    expect(warn.mock.calls).toEqual([...warned, ["Multicast Poke: not yours (NOT_GRANTED)"]]);
  });

  test("a final error is thrown, once, to each", async () => {
    const { heard } = listen(B);
    const { signal } = new AbortController();
    const iterator = client.pokes(A, { signal })[Symbol.asyncIterator]();
    const first = take(iterator);
    const refused = expect(first).rejects.toMatchObject({ code: "PERMISSION_DENIED", isFinal: true });
    await pass(100);
    peer.newest.fail(new PokeError("PERMISSION_DENIED", "", { reason: "NOT_GRANTED" }));
    await pass(0);
    await refused;
    expect(getEventListeners(signal, "abort"), "nothing is left at the signal").toEqual([]);
    expect(await take(iterator)).toBe("done");
    expect(heard).toEqual(["PERMISSION_DENIED"]);
    const again = listen(A);
    await goLive();
    expect(again.heard, "the client can be used again").toEqual(["connected", "live a"]);
  });

  test("a reader that is behind stops the client from reading, and what is read goes on in order", async () => {
    setUp({ eventBuffer: 4 });
    const { heard } = listen(A);
    const iterator = client.pokes(A)[Symbol.asyncIterator]();
    const first = take(iterator);
    await goLive();
    for (let sequence = 1; sequence <= 20; sequence += 1) peer.newest.poke("a", sequence);
    await pass(60_000);
    expect(await first).toBe("connected");
    expect(peer.newest.taken, "the rest waits at the server").toBeLessThan(8);
    expect(peer.calls, "silence isn't counted").toHaveLength(1);
    const taken: string[] = [];
    for (let count = 0; count < 21; count += 1) {
      taken.push(await take(iterator));
      await pass(0);
    }
    expect(taken.at(-1)).toBe("poke a 20");
    expect(heard.at(-1)).toBe("poke a 20");
    await iterator.return?.();
  });

  test("one that takes nothing for hours is no reader that is behind while there is nothing to take", async () => {
    const idle = client.pokes(A)[Symbol.asyncIterator]();
    const first = take(idle);
    const { heard } = listen(A);
    await goLive();
    expect([await first, await take(idle)]).toEqual(["connected", "live a"]);
    peer.newest.poke("a", 1);
    for (let sequence = 2n; sequence < 202n; sequence += 1n) {
      peer.newest.say({ case: "heartbeat", value: { checkpoints: [{ epoch: "e", sequence }] } });
      await pass(20_000);
    }
    peer.newest.poke("a", 300);
    await pass(0);
    expect(heard.at(-1)).toBe("poke a 300");
    const sequence = () => client.positions()[0]?.position.sequence;
    expect([sequence(), await take(idle), sequence()]).toEqual(["0", "poke a 1", "1"]);
    expect([await take(idle), sequence()]).toEqual(["poke a 300", "300"]);
    peer.newest.fail(new PokeError("UNAVAILABLE", ""));
    for (let lost = 0; lost < 200; lost += 1) {
      await pass(30_000);
      if (peer.open.length > 0) peer.newest.fail(new PokeError("UNAVAILABLE", ""));
      await pass(0);
    }
    expect(await take(idle)).toBe("reconnecting");
    while (peer.open.length === 0) await pass(1000);
    peer.newest.accept();
    expect(await take(idle)).toBe("connected");
    await idle.return?.();
  });

  test("malformed arguments are thrown, and leave nothing behind", async () => {
    const throws = (interests: unknown, options = {}) =>
      expect(
        client
          .pokes(interests as Interest, options)
          [Symbol.asyncIterator]()
          .next(),
      ).rejects;
    await throws([]).toMatchObject({ code: "INVALID_ARGUMENT", message: "interests must not be empty" });
    await throws([A, { domain: "D" }]).toMatchObject({
      violations: [{ field: "interests[1].filter", description: "must be text" }],
    });
    await throws({ domain: "D", filter: "\ud800" }).toMatchObject({ code: "INVALID_ARGUMENT" });
    await throws({ ...A, audience: "all" }).toMatchObject({ code: "INVALID_ARGUMENT" });
    await throws(A, { positions: [{ ...A, position: { epoch: "e", sequence: "1.5" } }] }).toThrow(
      /positions\[0\].position.sequence/,
    );
    await throws(A, { positions: "[]" }).toMatchObject({ code: "INVALID_ARGUMENT", message: "positions must be a list" });
    await throws(A, { positions: [null] }).toThrow(/positions\[0\].domain must be text/);
    await throws(A, { signal: "stop" }).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(() => client.listen(null as unknown as Interest, {})).toThrow(PokeError);
    listen(A);
    await goLive();
    await pass(2000);
    expect(peer.calls).toHaveLength(1);
  });
});

describe("positions", () => {
  test("are those that everybody has taken, as plain JSON, and go on in another client", async () => {
    const customer: Interest = { ...B, audience: "customer" };
    listen(A);
    const slow = client.pokes(A)[Symbol.asyncIterator]();
    const next = take(slow);
    const stop = client.listen(customer, {});
    await goLive();
    peer.newest.poke("a", 1);
    peer.newest.poke("a", 2);
    await pass(0);
    expect([await next, await take(slow), await take(slow)]).toEqual(["connected", "live a", "poke a 1"]);
    const saved = JSON.parse(JSON.stringify(client.positions()));
    expect(saved).toEqual([
      { ...A, position: { epoch: "e", sequence: "1" } },
      { ...customer, position: { epoch: "e", sequence: "0" } },
    ]);
    await slow.return?.();
    stop();
    expect(client.positions()).toEqual([{ ...A, position: { epoch: "e", sequence: "2" } }]);
    client.close();

    setUp();
    client.listen([A, customer], {}, { positions: saved });
    expect(client.positions()).toEqual(saved);
    await pass(100);
    const [a, b] = peer.newest.request.subscriptions;
    expect(a.start).toEqual({ case: "after", value: { epoch: "e", sequence: 1n } });
    expect(b).toMatchObject({ interest: { audience: 1 }, start: { case: "after" } });
  });

  test("where none were saved yet, null is none", async () => {
    const heard: string[] = [];
    client.listen(A, { onEvent: (event) => heard.push(short(event)) }, { positions: JSON.parse("null") });
    await goLive();
    expect(heard).toEqual(["connected", "live a"]);
  });

  test("latest asks for the newest poke", async () => {
    client.listen(A, {}, { latest: true });
    await pass(100);
    expect(peer.newest.request.subscriptions[0].start.case).toBe("latest");
  });
});

describe("lost streams", () => {
  test("are opened again after the spread, with what was saved", async () => {
    const { heard } = listen(A);
    await goLive();
    peer.newest.poke("a", 7);
    await pass(0);
    peer.newest.fail(new PokeError("UNAVAILABLE", "the network"));
    await pass(2499);
    expect(peer.calls).toHaveLength(1);
    await pass(1);
    expect(peer.newest.request.subscriptions[0].start.value.sequence).toBe(7n);
    peer.newest.accept(7n);
    await pass(0);
    expect(heard).toEqual(["connected", "live a", "poke a 7", "reconnecting", "connected", "live a"]);
  });

  test("one that ends with OK though interests are left is lost", async () => {
    const { heard } = listen(A);
    await goLive();
    peer.newest.end();
    await pass(3000);
    expect(heard.at(-1)).toBe("reconnecting");
    expect(peer.calls).toHaveLength(2);
  });

  test("silence is one, and takes another connection; a sleep is seen when the device wakes", async () => {
    listen(A);
    await goLive();
    await pass(30_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    await pass(5000);
    expect(peer.calls[0]?.signal.aborted).toBe(true);
    await pass(2500);
    expect(peer.newest.connection).toBe(2);
  });

  test("a page that is back looks at once, and goes on at once", async () => {
    const wakes = new Set<() => void>();
    setUp({}, device(wakes));
    const { heard, stop } = listen(A);
    await goLive();
    vi.setSystemTime(Date.now() + 3_600_000);
    for (const wake of wakes) wake();
    await pass(0);
    expect(heard.at(-1)).toBe("reconnecting");
    expect(peer.calls).toHaveLength(2);
    stop();
    expect(wakes.size).toBe(0);
  });

  test("while the device is offline it tries seldom, and goes on once it is back", async () => {
    let isOffline = true;
    const wakes = new Set<() => void>();
    setUp(
      {},
      device(wakes, () => isOffline),
    );
    listen(A);
    for (const _ of [1, 2, 3]) {
      await pass(30_050);
      peer.newest.fail(new PokeError("UNAVAILABLE", "offline"));
      await pass(0);
    }
    expect(peer.calls.length).toBeLessThanOrEqual(3);
    await pass(1000);
    isOffline = false;
    for (const wake of wakes) wake();
    await pass(0);
    expect(peer.open).toHaveLength(1);
  });
});

describe("tokens", () => {
  const refused = () => new PokeError("UNAUTHENTICATED", "", { reason: "TOKEN_EXPIRED" });

  test("one that is refused is fetched anew, and a second refusal is final", async () => {
    let count = 0;
    setUp({ token: async () => `t${++count}` });
    const { heard } = listen(A);
    await pass(100);
    expect(peer.newest.token).toBe("Bearer t1");
    peer.newest.fail(refused());
    await pass(0);
    expect(peer.newest.token).toBe("Bearer t2");
    peer.newest.fail(refused());
    await pass(0);
    expect(heard).toEqual(["UNAUTHENTICATED"]);
    expect(peer.calls).toHaveLength(2);
  });

  test("a fixed one can't be another: its refusal is final, and there is nothing to move for", async () => {
    setUp({ token: "fixed" });
    const { heard } = listen(A);
    await goLive();
    const value = { minDelay: {}, maxDelay: {}, closesAfter: { seconds: 30n }, reason: ReconnectReason.TOKEN_EXPIRING };
    peer.newest.say({ case: "reconnect", value });
    await pass(10_000);
    expect(peer.calls).toHaveLength(1);
    peer.newest.fail(refused());
    await pass(0);
    expect(heard.at(-1)).toBe("UNAUTHENTICATED");
  });

  test("one that expires is fetched before the stream moves, on the same connection", async () => {
    let count = 0;
    setUp({ token: async () => `t${++count}` });
    const { heard } = listen(A);
    await goLive();
    peer.newest.say({
      case: "reconnect",
      value: { minDelay: {}, maxDelay: { seconds: 2n }, closesAfter: { seconds: 30n }, reason: 3 },
    });
    await pass(1000);
    expect(peer.newest).toMatchObject({ token: "Bearer t2", connection: 1 });
    peer.newest.accept();
    await pass(0);
    expect(peer.open).toEqual([peer.newest]);
    expect(heard).toEqual(["connected", "live a", "connected"]);
  });

  test("a provider that fails is asked again, one that hangs too, and all calls share one fetch", async () => {
    const provider = vi.fn(async ({ signal: _ }: { signal: AbortSignal }): Promise<string> => {
      throw new Error("no");
    });
    setUp({ token: provider });
    const { heard } = listen(A);
    await pass(100);
    expect(heard).toEqual(["reconnecting"]);
    provider.mockImplementation(() => new Promise(() => {}));
    await pass(500);
    const hanging = provider.mock.lastCall?.[0].signal;
    await pass(10_000);
    expect(hanging?.aborted).toBe(true);
    provider.mockImplementation(async () => "t");
    provider.mockClear();
    const published = client.publish(A);
    await pass(2000);
    expect(provider).toHaveBeenCalledTimes(1);
    const publish = peer.calls.find(({ method }) => method === "Publish");
    publish?.answer({ position: { epoch: "e", sequence: 1n } });
    await published;
    expect(peer.calls.map(({ token }) => token)).toEqual(["Bearer t", "Bearer t"]);
  });

  test("who gives up leaves the fetch to those who still wait for it, and the last one ends it", async () => {
    const signals: AbortSignal[] = [];
    let give = (_token: string) => {};
    setUp({
      token: ({ signal }) =>
        new Promise((resolve, reject) => {
          give = resolve;
          signals.push(signal);
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const { heard } = listen(A);
    await pass(100);
    const abort = new AbortController();
    const published = client.publish(A, { signal: abort.signal }).catch(({ code }) => code);
    await pass(0);
    abort.abort();
    expect(await published).toBe("CANCELLED");
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    give("t");
    await pass(0);
    peer.newest.accept();
    await pass(0);
    expect(heard).toEqual(["connected", "live a"]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test("one that is neither text nor a function is refused", () => {
    for (const token of [7, null, Promise.resolve("t")]) {
      expect(() => new PokeClient(peer.connect, { token: token as unknown as string })).toThrow(/token must be text/);
    }
  });

  test("one that is no header is refused without being repeated", async () => {
    setUp({ token: "a\nsecret" });
    const error = await client.publish(A).catch((error) => error);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(String(error.stack)).not.toContain("secret");
  });
});

describe("publish and end", () => {
  const position = { epoch: "e", sequence: 9007199254740993n };

  test("answers are plain JSON", async () => {
    const published = client.publish({ ...A, data: { n: 1 } });
    await pass(0);
    expect(peer.newest.request).toMatchObject({ domain: "D", filter: "a", audience: 0, customerId: "" });
    peer.newest.answer({ position, localReceiverCount: 2, duplicate: true });
    const answer = { position: { epoch: "e", sequence: "9007199254740993" }, localReceiverCount: 2, duplicate: true };
    expect(JSON.parse(JSON.stringify(await published))).toEqual(answer);
    const ended = client.endInterest({ ...A, customerId: "c", idempotencyKey: "k" });
    await pass(0);
    expect(peer.newest.request).toMatchObject({ audience: 1, customerId: "c", idempotencyKey: "k", data: undefined });
    peer.newest.answer({ position });
    expect(await ended).toEqual({ position: answer.position });
  });

  test("it is tried again with the same key, on another connection after a fault that isn't the server's", async () => {
    const published = client.publish(A);
    await pass(0);
    peer.newest.fail(new PokeError("CANCELLED", "after GOAWAY"));
    await pass(0);
    expect(peer.newest.connection).toBe(2);
    peer.newest.fail(new PokeError("UNAVAILABLE", "", { reason: "BACKPLANE_UNAVAILABLE", retryDelay: 1000 }));
    await pass(1249);
    expect(peer.calls).toHaveLength(2);
    await pass(1);
    expect(peer.newest.connection).toBe(2);
    expect(peer.newest.request.idempotencyKey).toMatch(/^[0-9a-f]{32}$/);
    expect(peer.newest.request.idempotencyKey).toBe(peer.calls[0]?.request.idempotencyKey);
    peer.newest.answer({ position, duplicate: true });
    expect((await published).duplicate).toBe(true);
  });

  test("a connection that swallows an attempt leaves time for others, and the deadline ends it", async () => {
    const failed = expect(client.publish(A)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", isFinal: false });
    const begun = Date.now();
    await pass(20_000);
    await failed;
    expect(peer.calls.length).toBeGreaterThanOrEqual(3);
    expect(peer.open).toEqual([]);
    expect(peer.connections).toBe(peer.calls.length);
    expect(Date.now() - begun).toBe(20_000);
  });

  test("what the server refuses is final", async () => {
    const refused = expect(client.publish(A)).rejects.toMatchObject({ reason: "INTEREST_ENDED", isFinal: true });
    await pass(0);
    peer.newest.fail(new PokeError("FAILED_PRECONDITION", "", { reason: "INTEREST_ENDED" }));
    await refused;
    expect(peer.calls).toHaveLength(1);
  });

  test("the signal and close cancel it", async () => {
    const abort = new AbortController();
    const [one, two] = [client.publish(A, { signal: abort.signal }), client.publish(A)];
    const cancelled = [one, two].map((call) => expect(call).rejects.toMatchObject({ code: "CANCELLED" }));
    await pass(0);
    abort.abort();
    await cancelled[0];
    expect(peer.open).toHaveLength(1);
    client.close();
    await cancelled[1];
    await expect(client.publish(A)).rejects.toMatchObject({ code: "CANCELLED" });
    expect(() => client.listen(A, {})).toThrow(/cancelled/);
  });

  test("data without a form on the wire is refused before anything is sent", async () => {
    await expect(client.publish({ ...A, data: { a: Number.NaN } })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(client.publish(undefined as unknown as Interest)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(client.publish({ ...A, customerId: null as unknown as string })).rejects.toThrow(/customerId must be text/);
    expect(peer.calls).toEqual([]);
  });

  for (const count of [20, 200]) {
    test(`${count} at once with one signal don't look like a leak, and leave nothing at the signal`, async () => {
      const warnings: Error[] = [];
      const warn = (warning: Error) => warnings.push(warning);
      process.on("warning", warn);
      // A token that is fetched for each call is waited for with the same signal.
      setUp({ token: async () => "t" });
      const abort = new AbortController();
      const { signal } = abort;
      const each = Array.from({ length: count }, (_, at) => ({ domain: "D", filter: `${at % 3}` }));
      const published = each.map((interest) => client.publish(interest, { signal }));
      const stops = each.map((interest) => client.listen(interest, {}, { signal }));
      const loops = each.map((interest) => client.pokes(interest, { signal })[Symbol.asyncIterator]());
      const firsts = loops.map(take);
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      await pass(0);
      for (const call of peer.calls) if (call.method === "Publish") call.answer({ position });
      await Promise.all(published);
      expect(getEventListeners(signal, "abort"), "that of what listens").toHaveLength(1);
      for (const stop of stops) stop();
      for (const loop of loops.slice(1)) await loop.return?.();
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      abort.abort();
      expect(await Promise.all(firsts)).toEqual(firsts.map(() => "done"));
      expect(getEventListeners(signal, "abort")).toEqual([]);
      await pass(2000);
      process.off("warning", warn);
      expect(warnings).toEqual([]);
    });
  }

  test("one signal cancels all that it was given to", async () => {
    const abort = new AbortController();
    const { signal } = abort;
    const published = [1, 2, 3].map((data) => client.publish({ ...A, data }, { signal }).catch(({ code }) => code));
    const loop = take(client.pokes(A, { signal })[Symbol.asyncIterator]());
    await pass(0);
    abort.abort();
    expect(await Promise.all([...published, loop])).toEqual(["CANCELLED", "CANCELLED", "CANCELLED", "done"]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("an empty customer isn't everyone", async () => {
    const published = client.publish({ ...A, customerId: "" }).catch(() => {});
    await pass(0);
    expect(peer.newest.request.audience).toBe(1);
    peer.newest.fail(new PokeError("INVALID_ARGUMENT", "", { reason: "INVALID_CUSTOMER" }));
    await published;
  });
});
