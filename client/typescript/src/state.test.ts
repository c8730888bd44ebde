// The state alone, with loaded dice: every wait is as long as it can be.
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { PokeError, Unreadable } from "./error.js";
import { SubscribeResponseSchema } from "./gen/poke/v1/poke_pb.js";
import type { SharedEvent } from "./interests.js";
import { type Message, toMessage } from "./message.js";
import { State } from "./state.js";
import type { Interest, Position } from "./types.js";

const SECOND = 1000;
const A: Interest = { domain: "D", filter: "a" };
const B: Interest = { domain: "D", filter: "b" };
const C: Interest = { domain: "D", filter: "c" };

const at = (sequence: number, epoch = "e"): Position => ({ epoch, sequence: `${sequence}` });
const lost = () => new PokeError("UNAVAILABLE", "the network");
const refusal = (code: string, retryDelay?: number) => new PokeError(code, "", { reason: "REASON", retryDelay });
const tooMany = (limit?: string) =>
  new PokeError("INVALID_ARGUMENT", "", { reason: "TOO_MANY_INTERESTS", metadata: limit === undefined ? {} : { limit } });
const welcome = (maxInterests = 3): Message => {
  const limits = { maxInterests, maxPokeBytes: 0, maxDataDepth: 0, retentionWindow: 0 };
  const connected = { type: "connected", streamId: "", limits, heartbeatInterval: 20 * SECOND } as const;
  return { type: "welcome", connected, reconnectSpread: 5 * SECOND };
};
const live = (interest: Interest, position = at(1), outcome: "fresh" | "recovered" | "gap" = "recovered"): Message => ({
  type: "live",
  interest,
  position,
  outcome,
});
const poke = (interest: Interest, position: Position): Message => ({
  type: "poke",
  interest,
  data: undefined,
  position,
  publishTime: new Date(0),
});
const gap = (
  interest: Interest | undefined,
  position: Position,
  reason: "evicted" | "epoch_changed" = "evicted",
): Message => ({
  type: "gap",
  interest,
  reason,
  position,
  missedCount: undefined,
  reloadSpread: 7,
});
const heartbeat = (...checkpoints: Position[]): Message => ({ type: "heartbeat", checkpoints });
const reconnect = (minDelay: number, maxDelay: number, closesAfter: number): Message => ({
  type: "reconnect",
  minDelay: minDelay * SECOND,
  maxDelay: maxDelay * SECOND,
  closesAfter: closesAfter * SECOND,
  renewToken: false,
});

/** A state and the time. */
class Rig {
  readonly state = new State((longest) => longest);
  now = SECOND;
  opened: { id: number; request: string; staleToken: number | undefined }[] = [];
  closed: number[] = [];
  retired: number[] = [];
  events: SharedEvent[] = [];
  errors: PokeError[] = [];

  constructor(...interests: Interest[]) {
    this.add(...(interests.length > 0 ? interests : [A]));
    this.openedAfter();
  }

  add(...interests: Interest[]) {
    return this.state.add(
      this.now,
      interests.map((interest) => [interest, {}]),
    );
  }

  /** Lets time go by until a call is opened; answers how long that took. */
  openedAfter(): number {
    const [begun, count] = [this.now, this.opened.length];
    for (;;) {
      this.turn();
      if (this.opened.length > count) return this.now - begun;
      expect(this.state.deadline(), "a call will be opened").toBeLessThan(Number.POSITIVE_INFINITY);
      this.now = Math.max(this.now, this.state.deadline());
    }
  }

  turn(): void {
    this.state.onTime(this.now);
    for (const action of this.state.takeActions()) {
      if (action.type === "open") {
        const { id, staleToken } = action;
        this.opened.push({
          id,
          staleToken,
          request: JSON.stringify(action.request, (_, v) => (typeof v === "bigint" ? `${v}` : v)),
        });
      } else if (action.type === "close") this.closed.push(action.id);
      else this.retired.push(action.id);
    }
    for (const { event, error, saves } of this.state.takeNotices()) {
      if (event) this.events.push(event);
      if (error) this.errors.push(error);
      for (const [held, position] of saves ?? []) held.taken = position;
    }
  }

  /** The newest call says it, or another one. */
  say(message: Message, id = this.state.newestId): void {
    this.state.onMessage(this.now, id, message);
    this.turn();
  }

  goLive(...interests: Interest[]): void {
    this.say(welcome());
    for (const interest of interests.length > 0 ? interests : [A]) this.say(live(interest));
  }

  lose(error: PokeError, id = this.state.newestId): number {
    this.state.onEnd(this.now, id, error);
    return this.openedAfter();
  }

  /** What the program has heard since the last time. */
  heard(): string[] {
    return this.events.splice(0).map((event) => {
      const position = "position" in event ? ` ${event.position.epoch}:${event.position.sequence}` : "";
      return `${event.type}${"interest" in event ? ` ${event.interest.filter}` : ""}${position}`;
    });
  }

  /** As {@link heard}, of some types alone. */
  told(...types: SharedEvent["type"][]): string[] {
    return this.heard().filter((line) => types.some((type) => line.startsWith(type)));
  }

  /** The filters that the newest call has asked for. */
  asked(): string[] {
    const { subscriptions } = JSON.parse(this.opened.at(-1)?.request ?? "{}");
    return subscriptions.map(({ interest }: { interest: Interest }) => interest.filter);
  }

  /** Asks to move, and lets the next call be opened. */
  move(): void {
    this.say(reconnect(0, 0, 60));
    this.turn();
  }
}

describe("waits", () => {
  test("the first retry after an unannounced loss is spread, and the next ones back off", () => {
    const rig = new Rig();
    rig.goLive();
    expect([rig.lose(lost()), rig.lose(lost()), rig.lose(lost())]).toEqual([5 * SECOND, SECOND, 2 * SECOND]);
  });

  test("before the first welcome there is no spread", () => {
    const rig = new Rig();
    expect([rig.lose(lost()), rig.lose(lost())]).toEqual([500, SECOND]);
  });

  test("backoff starts again only after thirty seconds live", () => {
    const rig = new Rig();
    for (const wait of [5, 1, 2, 4, 8, 16, 30, 30]) {
      rig.goLive();
      rig.now += 29 * SECOND;
      expect(rig.lose(lost())).toBe(wait * SECOND);
    }
    rig.goLive();
    rig.now += 30 * SECOND;
    expect(rig.lose(lost())).toBe(5 * SECOND);
  });

  test("an announced loss is spread after RetryInfo, and forgets earlier failures", () => {
    const rig = new Rig();
    for (const wait of [5, 1, 2]) {
      rig.goLive();
      expect(rig.lose(lost())).toBe(wait * SECOND);
    }
    rig.goLive();
    rig.say(reconnect(9, 9, 60));
    expect(rig.lose(refusal("UNAVAILABLE", SECOND))).toBe(6 * SECOND);
    expect(rig.lose(lost())).toBe(SECOND);
  });

  test("moves that fail while the old stream lives don't delay the return after it", () => {
    const rig = new Rig();
    rig.goLive();
    rig.say(reconnect(0, 0, 24));
    const closesAt = rig.now + 24 * SECOND;
    let attempts = 1;
    for (; ; attempts += 1) {
      rig.state.onEnd(rig.now, rig.state.newestId, lost());
      if (rig.state.deadline() >= closesAt) break;
      rig.openedAfter();
    }
    expect(attempts).toBeGreaterThanOrEqual(8);
    expect(attempts).toBeLessThan(20);
    rig.now = closesAt;
    expect(rig.lose(refusal("UNAVAILABLE", SECOND), 1), "RetryInfo and the spread").toBe(6 * SECOND);
    expect(rig.lose(lost())).toBe(SECOND);
  });

  test("a stream that outlives what it said is left at the ordinary pace", () => {
    const rig = new Rig();
    rig.goLive();
    rig.say(reconnect(0, 0, 1));
    rig.now += 2 * SECOND;
    const waits = Array.from({ length: 6 }, () => rig.lose(lost()));
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000]);
  });

  test("RetryInfo comes on top of the backoff", () => {
    const rig = new Rig();
    rig.goLive();
    expect(rig.lose(refusal("ABORTED", 3 * SECOND))).toBe(3.5 * SECOND);
    expect(rig.lose(refusal("ABORTED", 3 * SECOND))).toBe(4 * SECOND);
  });

  test("a transport's CANCELLED before the welcome is retried at once on another connection, but only once", () => {
    const rig = new Rig();
    expect(rig.lose(new PokeError("CANCELLED", "after GOAWAY"))).toBe(0);
    expect(rig.retired).toEqual([1]);
    expect(rig.lose(new PokeError("INTERNAL", "again"))).toBe(500);
    rig.goLive();
    expect(rig.lose(new PokeError("UNKNOWN", "later on")), "after its welcome it is a loss").toBe(SECOND);
  });

  test("without a network the device isn't worn out, and goes on at once when that is back", () => {
    const rig = new Rig();
    rig.state.isOffline = true;
    rig.state.onEnd(rig.now, 1, lost());
    expect(rig.state.deadline() - rig.now).toBe(30 * SECOND);
    rig.now += 2 * SECOND;
    rig.state.hurry(rig.now);
    expect(rig.openedAfter()).toBe(0);
  });

  test("what the server asks to wait isn't hurried, and nobody hurries at full speed", () => {
    const rig = new Rig();
    rig.state.onEnd(rig.now, 1, refusal("RESOURCE_EXHAUSTED", 8 * SECOND));
    rig.state.hurry(rig.now);
    expect(rig.openedAfter()).toBe(8.5 * SECOND);
    rig.state.onEnd(rig.now, 2, lost());
    rig.state.hurry(rig.now);
    expect(rig.openedAfter()).toBe(SECOND);
  });
});

describe("make before break", () => {
  test("a move happens within its window, on another connection", () => {
    const rig = new Rig();
    rig.goLive();
    rig.say(reconnect(2, 9, 60));
    expect(rig.retired).toEqual([1]);
    expect(rig.openedAfter()).toBe(9 * SECOND);
    expect(rig.closed).toEqual([]);
    rig.goLive();
    expect(rig.closed).toEqual([1]);
  });

  test("the next call takes over each interest, and what the old one still says of it is dropped", () => {
    const rig = new Rig(A, B);
    rig.goLive(A, B);
    rig.move();
    rig.heard();
    rig.say(welcome());
    rig.say(live(A, at(1)));
    rig.say(poke(A, at(5)));
    rig.say(poke(A, at(5)), 1);
    rig.say(poke(B, at(6)), 1);
    expect(rig.heard()).toEqual(["connected", "poke a e:5", "poke b e:6"]);
    rig.say(live(B, at(2)));
    rig.say(poke(B, at(6)));
    expect(rig.heard(), "a poke that the old call had brought").toEqual([]);
    expect(rig.closed).toEqual([1]);
  });

  test("a failed move is tried again while the old stream lives, and the program never hears of it", () => {
    const rig = new Rig();
    rig.goLive();
    rig.say(reconnect(1, 1, 60));
    rig.openedAfter();
    rig.heard();
    expect([rig.lose(lost()), rig.lose(lost())]).toEqual([500, 1000]);
    expect(rig.heard()).toEqual([]);
    expect(rig.state.current?.id).toBe(1);
  });

  test("when the current call is lost the next one decides, without a delay", () => {
    const rig = new Rig();
    rig.goLive();
    rig.move();
    rig.heard();
    rig.state.onEnd(rig.now, 1, refusal("PERMISSION_DENIED"));
    rig.goLive();
    expect(rig.heard()).toEqual(["connected", "live a e:1"]);
    expect(rig.errors).toEqual([]);
  });

  test("interests are never given back to an older call", () => {
    const rig = new Rig(A, B);
    rig.goLive(A, B);
    rig.move();
    rig.say(welcome());
    rig.say(live(A));
    rig.state.onEnd(rig.now, 2, lost());
    rig.heard();
    rig.say(poke(A, at(9)), 1);
    expect(rig.heard()).toEqual([]);
    rig.openedAfter();
    rig.goLive(A, B);
    rig.say(poke(A, at(9)));
    expect(rig.heard()).toEqual(["connected", "live a e:1", "poke a e:9"]);
  });

  test("a window longer than the stream is cut to it", () => {
    const seconds = (seconds: number) => ({ seconds: BigInt(seconds) });
    const value = { minDelay: seconds(50), maxDelay: seconds(100), closesAfter: seconds(30) };
    const response = create(SubscribeResponseSchema, { event: { case: "reconnect", value } });
    expect(toMessage(response)).toMatchObject({ minDelay: 30 * SECOND, maxDelay: 30 * SECOND });
  });

  test("an expiring token makes older ones stale and keeps the connection", () => {
    const rig = new Rig();
    rig.goLive();
    rig.now += SECOND;
    rig.say({ ...(reconnect(0, 0, 60) as Message & { type: "reconnect" }), renewToken: true });
    expect(rig.retired).toEqual([]);
    expect(rig.opened.at(-1)?.staleToken).toBe(rig.now);
  });
});

describe("positions", () => {
  test("a call resumes after what was saved, and the start of a gap isn't", () => {
    const rig = new Rig();
    expect(rig.opened[0]?.request).not.toContain("after");
    rig.goLive();
    rig.say(poke(A, at(4)));
    rig.lose(lost());
    expect(rig.opened[1]?.request).toContain(`"after","value":{"epoch":"e","sequence":"4"}`);
    rig.say(welcome());
    rig.say(live(A, at(8), "gap"));
    rig.lose(lost());
    expect(rig.opened[2]?.request, "nobody has heard of the loss yet").toContain(`"sequence":"4"`);
  });

  test("no checkpoint passes a gap that is to come, or another epoch", () => {
    const rig = new Rig(A, B);
    rig.goLive(A, B);
    rig.lose(lost());
    rig.say(welcome());
    rig.say(live(A, at(8), "gap"));
    rig.say(live(B, at(3, "other")));
    rig.say(heartbeat(at(20)));
    expect([...rig.state.interests.values()].map(({ start }) => start.after)).toEqual([at(1), at(3, "other")]);
    rig.say(gap(A, at(9)));
    rig.say(heartbeat(at(20), at(2, "other")));
    expect([...rig.state.interests.values()].map(({ taken }) => taken)).toEqual([at(20), at(3, "other")]);
  });

  test("a gap of all interests is told of each that has lost something", () => {
    const rig = new Rig(A, B);
    rig.goLive(A, B);
    rig.say(poke(B, at(9)));
    rig.heard();
    rig.say(gap(undefined, at(7)));
    expect(rig.events).toEqual([{ type: "gap", interest: A, reason: "evicted", position: at(7), reloadAfter: 7 }]);
  });

  test("a new epoch replaces what was saved, whatever that was", () => {
    const rig = new Rig();
    rig.goLive();
    rig.say(poke(A, at(9)));
    rig.say(gap(A, at(2), "epoch_changed"));
    rig.say(poke(A, at(3)));
    expect(rig.heard().slice(2)).toEqual(["poke a e:9", "gap a e:2", "poke a e:3"]);
  });

  test("a message that can't be read starts its interests afresh, with a gap", () => {
    const rig = new Rig();
    rig.goLive();
    rig.say(poke(A, at(9)));
    rig.heard();
    rig.lose(new Unreadable(undefined));
    expect(rig.closed).toEqual([1]);
    expect(rig.opened[1]?.request).not.toContain("after");
    rig.say(welcome());
    rig.say(live(A, at(12), "fresh"));
    expect(rig.events.at(-1)).toMatchObject({ type: "gap", reason: "undecodable", position: at(12), reloadAfter: 0 });
    expect(rig.heard()).toEqual(["reconnecting", "connected", "live a e:12", "gap a e:12"]);
  });

  test("unless the next call is under way, which has asked for all that this one owes", () => {
    const rig = new Rig();
    rig.goLive();
    rig.move();
    rig.state.onEnd(rig.now, 1, new Unreadable(undefined));
    rig.heard();
    rig.goLive();
    expect(rig.heard()).toEqual(["connected", "live a e:1"]);
  });
});

describe("the set", () => {
  test("changes are sent together, and at most once a second", () => {
    const rig = new Rig();
    rig.goLive();
    rig.now += 5 * SECOND;
    const [b] = rig.add(B);
    if (b) rig.state.remove(rig.now, b);
    expect(rig.state.deadline(), "the set is as it was").toBe(rig.now + 45 * SECOND);
    rig.add(B);
    rig.now += 30;
    expect(rig.openedAfter(), "counted from the first change").toBe(20);
    rig.goLive(A, B);
    const [a] = rig.add(A);
    if (a) rig.state.remove(rig.now, a);
    rig.turn();
    expect(rig.state.deadline(), "somebody else still holds it").toBe(rig.now + 50 * SECOND);
    if (a) rig.state.remove(rig.now, a);
    expect(rig.openedAfter()).toBe(SECOND);
    expect(rig.opened.at(-1)?.request).not.toContain(`"filter":"a"`);
  });

  test("with nothing left the call is closed, and nothing is retried", () => {
    const rig = new Rig();
    const [held] = rig.state.interests.values();
    if (held) rig.state.remove(rig.now, held);
    rig.now = rig.state.deadline();
    rig.turn();
    expect(rig.closed).toEqual([1]);
    expect(rig.state.deadline()).toBe(Number.POSITIVE_INFINITY);
    rig.state.onEnd(rig.now, 1, refusal("NOT_FOUND"));
    rig.turn();
    expect([rig.errors, rig.heard()]).toEqual([[], []]);
  });

  test("removed and added again it is another one: what the call says of the first doesn't count", () => {
    const rig = new Rig();
    const [held] = rig.state.interests.values();
    if (held) rig.state.remove(rig.now, held);
    rig.add(A);
    rig.goLive();
    rig.say(poke(A, at(5)));
    expect(rig.heard()).toEqual(["connected"]);
    rig.openedAfter();
    rig.goLive();
    expect(rig.heard()).toEqual(["connected", "live a e:1"]);
  });
});

describe("over the limit", () => {
  test("of a hundred and two interests the first hundred are asked for, and the others as soon as the limit is known", () => {
    const many = Array.from({ length: 102 }, (_, at) => ({ domain: "D", filter: `${at}` }));
    const rig = new Rig(...many);
    expect(rig.asked()).toEqual(many.slice(0, 100).map(({ filter }) => filter));
    rig.say(welcome(500));
    for (const interest of many.slice(0, 100)) rig.say(live(interest));
    expect(rig.told("rejected"), "nobody was told anything").toEqual([]);
    rig.openedAfter();
    expect(rig.asked()).toEqual(many.map(({ filter }) => filter));
    rig.say(welcome(500));
    for (const interest of many) rig.say(live(interest));
    expect(rig.told("live").slice(-2)).toEqual(["live 100 e:1", "live 101 e:1"]);
  });

  test("the surplus is told once that it waits, and is live when there is room", () => {
    const rig = new Rig(A, B, C);
    rig.say(welcome(2));
    expect(rig.events.at(-1)).toEqual({
      type: "rejected",
      interest: C,
      code: "INVALID_ARGUMENT",
      reason: "TOO_MANY_INTERESTS",
      message: "over the limit of 2 interests of a stream; it is asked for when there is room",
      isFinal: false,
    });
    rig.say(live(A));
    rig.say(live(B));
    expect(rig.openedAfter()).toBe(SECOND);
    expect(rig.asked()).toEqual(["a", "b"]);
    rig.say(welcome(2));
    rig.say(live(A));
    rig.say(live(B));
    expect(rig.heard()).toEqual(["connected", "rejected c", "live a e:1", "live b e:1", "connected"]);
    rig.say({ type: "ended", interest: A, position: at(2), data: undefined });
    rig.openedAfter();
    expect(rig.asked()).toEqual(["b", "c"]);
    rig.goLive(B, C);
    expect(rig.heard()).toEqual(["ended a e:2", "connected", "live c e:1"]);
    expect(rig.errors).toEqual([]);
  });

  test("what is added beyond it to a live stream waits, and is told so again when it falls over it again", () => {
    const rig = new Rig(A, B);
    rig.say(welcome(2));
    rig.say(live(A));
    rig.say(live(B));
    rig.heard();
    const [held] = rig.add(C);
    rig.turn();
    expect(rig.heard()).toEqual(["rejected c"]);
    expect(rig.state.deadline(), "no call is opened for it").toBe(rig.now + 50 * SECOND);
    const [a] = rig.state.interests.values();
    if (a) rig.state.remove(rig.now, a);
    rig.add(A);
    rig.openedAfter();
    expect(rig.asked(), "removed and added again is last").toEqual(["b", "c"]);
    rig.say(welcome(1));
    expect(rig.heard()).toEqual(["rejected a", "connected", "rejected c"]);
    rig.say(live(B));
    expect(held?.surplus).toBeDefined();
    rig.say(live(C));
    rig.say(poke(C, at(5)));
    expect(rig.heard(), "nothing of it is told while it waits").toEqual([]);
  });

  test("a call that is refused for it is repeated at once with as many as the error says, and no failure is counted", () => {
    const rig = new Rig(A, B, C);
    expect(rig.lose(tooMany("2"))).toBe(0);
    expect(rig.asked()).toEqual(["a", "b"]);
    expect(rig.told("rejected")).toEqual(["rejected c"]);
    expect(rig.errors).toEqual([]);
    expect(rig.lose(lost()), "the first failure").toBe(500);
    expect(rig.lose(tooMany("1"))).toBe(0);
    expect(rig.asked()).toEqual(["a"]);
  });

  for (const limit of [undefined, "", "many", "0", "-1", "1.5", "3", "4"]) {
    test(`a refusal of three interests with the limit ${limit} is final`, () => {
      const rig = new Rig(A, B, C);
      rig.state.onEnd(rig.now, 1, tooMany(limit));
      rig.turn();
      expect(rig.errors).toMatchObject([{ reason: "TOO_MANY_INTERESTS" }]);
      expect(rig.state.interests.size).toBe(0);
    });
  }

  test("a limit that falls while the stream lives: the surplus stops, keeps its position and goes on from there", () => {
    const rig = new Rig(A, B, C);
    rig.goLive(A, B, C);
    rig.say(poke(C, at(7)));
    rig.heard();
    rig.move();
    const [old] = rig.opened;
    rig.state.onEnd(rig.now, rig.state.newestId, tooMany("2"));
    rig.turn();
    expect(rig.heard()).toEqual(["rejected c"]);
    expect(rig.asked(), "the move goes on at once").toEqual(["a", "b"]);
    rig.say(poke(C, at(8)), old?.id);
    rig.say(poke(A, at(8)), old?.id);
    expect(rig.heard(), "the others go on").toEqual(["poke a e:8"]);
    for (const message of [welcome(2), live(A), live(B)]) rig.say(message);
    rig.heard();
    rig.add({ domain: "D", filter: "d" });
    rig.turn();
    expect(rig.heard()).toEqual(["rejected d"]);
    rig.move();
    for (const message of [welcome(4), live(A), live(B)]) rig.say(message);
    rig.openedAfter();
    expect(rig.asked()).toEqual(["a", "b", "c", "d"]);
    expect(rig.opened.at(-1)?.request).toContain(`"after","value":{"epoch":"e","sequence":"7"}`);
    for (const message of [welcome(4), live(A), live(B), live(C, at(7)), poke(C, at(8))]) rig.say(message);
    expect(rig.told("live", "poke")).toEqual(["live c e:7", "poke c e:8"]);
  });

  test("a welcome that lowers it: room on the same stream is a reason to ask again", () => {
    const rig = new Rig(A, B, C);
    rig.say(welcome(2));
    rig.say({ type: "ended", interest: A, position: at(2), data: undefined });
    rig.say(live(B));
    rig.say(live(C));
    rig.openedAfter();
    rig.goLive(B, C);
    expect(rig.told("rejected", "live")).toEqual(["rejected c", "live b e:1", "live c e:1"]);
  });

  test("an interest that waits for a retry keeps its place", () => {
    const rig = new Rig(A, B, C);
    rig.say(welcome(2));
    const refused = {
      type: "rejected",
      interest: A,
      code: "UNAVAILABLE",
      reason: "R",
      message: "",
      isFinal: false,
    } as const;
    rig.say({ ...refused, retryDelay: 10 * SECOND });
    rig.say(live(B));
    expect(rig.openedAfter()).toBe(SECOND);
    expect(rig.asked()).toEqual(["b"]);
    for (const message of [welcome(2), live(B)]) rig.say(message);
    expect(rig.openedAfter()).toBe(14 * SECOND);
    expect(rig.asked()).toEqual(["a", "b"]);
  });
});

describe("answers", () => {
  test("a final rejection ends an interest, and another is asked for again beside the live call", () => {
    const rig = new Rig(A, B);
    rig.say(welcome());
    rig.say(live(A));
    const rejected = {
      type: "rejected",
      interest: B,
      code: "UNAVAILABLE",
      reason: "R",
      message: "",
      isFinal: false,
    } as const;
    rig.say({ ...rejected, retryDelay: 10 * SECOND });
    expect(rig.openedAfter()).toBe(15 * SECOND);
    expect(rig.opened[1]?.request).toContain(`"filter":"b"`);
    rig.say({ ...rejected, isFinal: true, retryDelay: undefined });
    expect([...rig.state.interests.values()].map(({ interest }) => interest)).toEqual([A]);
    expect(rig.heard()).toEqual(["connected", "live a e:1", "rejected b", "rejected b"]);
  });

  test("a malformed interest that comes back cut is the unanswered one that begins so", () => {
    const long = { domain: "D", filter: "x".repeat(300) };
    const rig = new Rig(A, long);
    rig.goLive();
    const cut = { domain: "D", filter: "x".repeat(256) };
    const rejected = {
      type: "rejected",
      interest: cut,
      code: "INVALID_ARGUMENT",
      reason: "R",
      message: "",
      isFinal: true,
    } as const;
    rig.say({ ...rejected, retryDelay: undefined });
    expect(rig.events.at(-1)).toMatchObject({ type: "rejected", interest: long });
    expect(rig.state.current?.isSettled).toBe(true);
  });

  test("an end always counts, and with the last interest the call is over", () => {
    const rig = new Rig();
    rig.goLive();
    rig.say(heartbeat(at(20)));
    rig.say({ type: "ended", interest: A, position: at(3), data: "bye" });
    expect(rig.events.at(-1)).toEqual({ type: "ended", interest: A, position: at(3), data: "bye" });
    expect([rig.closed, rig.state.deadline()]).toEqual([[1], Number.POSITIVE_INFINITY]);
  });

  test("a final error is told once, and ends all", () => {
    const rig = new Rig(A, B);
    rig.state.onEnd(rig.now, 1, refusal("PERMISSION_DENIED"));
    rig.turn();
    expect(rig.errors.map(({ code }) => code)).toEqual(["PERMISSION_DENIED"]);
    expect([rig.state.interests.size, rig.state.deadline()]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  test("reconnecting says why and when", () => {
    const rig = new Rig();
    rig.lose(lost());
    expect(rig.events).toMatchObject([{ type: "reconnecting", delay: 500, cause: { code: "UNAVAILABLE" } }]);
  });
});

describe("the watchdog", () => {
  test("a server that doesn't greet within ten seconds is given up, and its connection too", () => {
    const rig = new Rig();
    rig.now += 10 * SECOND;
    rig.turn();
    expect([rig.closed, rig.retired]).toEqual([[1], [1]]);
  });

  test("patience doubles up to eight times, and a heartbeat in time ends that", () => {
    const rig = new Rig();
    rig.goLive();
    const patience = Array.from({ length: 5 }, () => {
      const left = rig.state.deadline() - rig.now;
      rig.now = rig.state.deadline();
      rig.openedAfter();
      rig.goLive();
      return left / SECOND;
    });
    expect(patience).toEqual([50, 100, 200, 400, 400]);
    rig.now += 30 * SECOND;
    rig.say(heartbeat());
    expect(rig.state.deadline() - rig.now).toBe(50 * SECOND);
  });

  test("silence isn't counted while nobody reads, and starts anew then", () => {
    const rig = new Rig();
    rig.goLive();
    rig.state.setReading(rig.now, false);
    rig.now += 1000 * SECOND;
    rig.turn();
    expect(rig.closed).toEqual([]);
    rig.state.setReading(rig.now, true);
    expect(rig.state.deadline()).toBe(rig.now + 50 * SECOND);
  });
});

describe("a call whose interests are all over", () => {
  test("closes with OK, and what waited for room is asked for without a loss", () => {
    const rig = new Rig(A, B);
    rig.say(welcome(2));
    for (const interest of [A, B]) rig.say(live(interest));
    rig.add(C);
    rig.turn();
    rig.say({ type: "ended", interest: A, position: at(5), data: undefined });
    rig.say({ type: "ended", interest: B, position: at(6), data: undefined });
    rig.heard();
    rig.state.onClose(rig.now, rig.state.newestId);
    expect(rig.openedAfter()).toBeLessThanOrEqual(SECOND);
    expect(rig.opened.at(-1)?.request).toContain('"filter":"c"');
    expect(rig.heard()).not.toContain("reconnecting");
  });

  test("but with an interest left it is lost", () => {
    const rig = new Rig(A, B);
    rig.goLive(A, B);
    rig.say({ type: "ended", interest: A, position: at(5), data: undefined });
    rig.state.onClose(rig.now, rig.state.newestId);
    rig.turn();
    expect(rig.told("reconnecting")).toHaveLength(1);
  });
});
