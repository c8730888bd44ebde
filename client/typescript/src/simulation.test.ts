// Never a silent loss: the state against a model of the server, with faults in any order.
//
// The model is the contract in its simplest form: one list of pokes, and calls that are queues of messages. Whatever
// happens, in the end the program has heard each poke of a live interest once and in order, or a gap that covers it.
import fc from "fast-check";
import { expect, test } from "vitest";
import { PokeError, Unreadable } from "./error.js";
import type { Held, SharedEvent } from "./interests.js";
import type { Message } from "./message.js";
import { type Action, State } from "./state.js";
import type { GapReason, Interest, Position } from "./types.js";

const SPREAD = 5000;
const NAMES = ["0", "1", "2"];

/** Something that happens. Numbers pick an interest or a call. */
type Op =
  | ["publish" | "deliver" | "heartbeat" | "move" | "break" | "garble" | "add" | "remove", number]
  | ["lag", number, number]
  | ["refuse", boolean]
  | ["limit", number]
  | ["wait" | "evict" | "restart"];

const interests = fc.nat({ max: 2 });
const calls = fc.nat({ max: 1 });
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant("publish" as const), interests) },
  { weight: 12, arbitrary: fc.tuple(fc.constant("deliver" as const), calls) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("wait" as const)) },
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom("heartbeat" as const, "move" as const, "break" as const), calls) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("garble" as const), calls) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("lag" as const), calls, interests) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("evict" as const, "restart" as const)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("refuse" as const), fc.boolean()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("limit" as const), fc.integer({ min: 1, max: 3 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("add" as const, "remove" as const), interests) },
);

/** One call on the server's side. */
interface Serving {
  epoch: number;
  names: string[];
  queue: Message[];
  isAnnounced: boolean;
}

class Server {
  epoch = 0;
  head = 0;
  /** The highest sequence that is no longer retained. */
  floor = 0;
  retained: [string, number][] = [];
  refuses = false;
  /** How many interests it accepts on a new call. */
  limit = 3;
  readonly calls = new Map<number, Serving>();

  at(sequence: number): Position {
    return { epoch: `${this.epoch}`, sequence: `${sequence}` };
  }

  publish(name: string): void {
    this.head += 1;
    this.retained.push([name, this.head]);
    for (const call of this.calls.values()) {
      if (call.epoch === this.epoch && call.names.includes(name)) call.queue.push(poke(name, this.at(this.head)));
    }
  }

  open({ id, request }: Action & { type: "open" }): void {
    const call: Serving = { epoch: this.epoch, names: [], queue: [welcome(this.limit)], isAnnounced: false };
    for (const { interest, start } of request.subscriptions ?? []) {
      const name = interest?.filter ?? "";
      const after = start?.case === "after" ? start.value : undefined;
      let from = after ? Number(after.sequence) : this.head;
      let reason: GapReason | undefined;
      if (after && (after.epoch !== `${this.epoch}` || from > this.head)) reason = "epoch_changed";
      else if (after && from < this.floor) reason = "evicted";
      if (reason) from = this.floor;
      const live = {
        type: "live",
        interest: of(name),
        position: this.at(from),
        outcome: reason ? "gap" : "recovered",
      } as const;
      call.queue.push(live);
      if (reason) call.queue.push(gap(name, reason, this.at(from)));
      const history = this.retained.filter(([held, sequence]) => held === name && sequence > from);
      call.queue.push(...history.map(([, sequence]) => poke(name, this.at(sequence))));
      call.names.push(name);
    }
    this.calls.set(id, call);
  }

  /** What a call has not got of an interest is dropped, and a gap says so. No checkpoint passes a hole. */
  lag(call: Serving, name: string): void {
    const isStarting = call.queue.some((message) => message.type === "live" && message.interest.filter === name);
    if (call.epoch !== this.epoch || !call.names.includes(name) || isStarting) return;
    call.queue = call.queue.filter(
      (message) => message.type !== "heartbeat" && !(message.type === "poke" && message.interest.filter === name),
    );
    call.queue.push(gap(name, "lagged", this.at(this.head)));
  }

  restart(): void {
    this.epoch += 1;
    this.head = 0;
    this.evict();
  }

  evict(): void {
    this.floor = this.head;
    this.retained = [];
  }
}

const of = (name: string): Interest => ({ domain: "D", filter: name });

function welcome(maxInterests: number): Message {
  const limits = { maxInterests, maxPokeBytes: 0, maxDataDepth: 0, retentionWindow: 0 };
  const connected = { type: "connected", streamId: "", limits, heartbeatInterval: 1e9 } as const;
  return { type: "welcome", connected, reconnectSpread: SPREAD };
}

function poke(name: string, position: Position): Message {
  return { type: "poke", interest: of(name), data: undefined, position, publishTime: new Date(0) };
}

function gap(name: string, reason: GapReason, position: Position): Message {
  return { type: "gap", interest: of(name), reason, position, missedCount: undefined, reloadSpread: 0 };
}

/** An order over all epochs of the model. */
const place = ({ epoch, sequence }: Position) => Number(epoch) * 1e6 + Number(sequence);

/** What the program has been promised for an interest: all that was published after it was first live. */
interface Promised {
  held: Held;
  due: number[];
  isLive: boolean;
  /** It was told that it is over the limit. */
  isWaiting: boolean;
}

class World {
  readonly state = new State((bound) => bound / 2);
  readonly server = new Server();
  readonly promised = new Map<string, Promised>();
  now = 1000;
  lastDelay: number | undefined;

  constructor() {
    this.add("0");
    this.add("1");
    this.act();
  }

  step([what, number, other]: Op): void {
    const name = NAMES[Number(other ?? number)] ?? "";
    const id = [...this.server.calls.keys()][Number(number)];
    const call = id === undefined ? undefined : this.server.calls.get(id);
    switch (what) {
      case "publish":
        this.publish(name);
        break;
      case "add":
        this.add(name);
        break;
      case "remove":
        this.remove(name);
        break;
      case "wait":
        if (this.state.deadline() < Number.POSITIVE_INFINITY) this.now = Math.max(this.now, this.state.deadline());
        break;
      case "evict":
        this.server.evict();
        break;
      case "restart":
        this.server.restart();
        break;
      case "refuse":
        this.server.refuses = number === true;
        break;
      case "limit":
        this.server.limit = Number(number);
        break;
      default:
        if (id !== undefined && call) this.stepCall(what, id, call, name);
    }
    this.act();
  }

  private stepCall(what: Op[0], id: number, call: Serving, name: string): void {
    const delay = 1000;
    switch (what) {
      case "deliver":
        this.deliver(id, call);
        break;
      case "heartbeat":
        if (call.epoch === this.server.epoch) {
          call.queue.push({ type: "heartbeat", checkpoints: [this.server.at(this.server.head)] });
        }
        break;
      case "move":
        call.queue.push({ type: "reconnect", minDelay: delay, maxDelay: delay, closesAfter: 20 * delay, renewToken: false });
        break;
      case "break":
        this.break(id, call);
        break;
      case "garble":
        if (call.queue.shift()) this.state.onEnd(this.now, id, new Unreadable(undefined));
        break;
      case "lag":
        this.server.lag(call, name);
    }
  }

  /** Does what a driver does. */
  act(): void {
    this.state.onTime(this.now);
    for (const action of this.state.takeActions()) {
      if (action.type === "close") this.server.calls.delete(action.id);
      else if (action.type === "open") this.open(action);
    }
    this.hear();
    expect(this.server.calls.size).toBeLessThanOrEqual(2);
  }

  private open(action: Action & { type: "open" }): void {
    const { limit, refuses } = this.server;
    const options = { reason: "TOO_MANY_INTERESTS", metadata: { limit: `${limit}` } };
    if (refuses) this.state.onEnd(this.now, action.id, new PokeError("UNAVAILABLE", "refused"));
    else if ((action.request.subscriptions?.length ?? 0) <= limit) this.server.open(action);
    else this.state.onEnd(this.now, action.id, new PokeError("INVALID_ARGUMENT", "too many", options));
  }

  private add(name: string): void {
    if (this.promised.has(name)) return;
    const [held] = this.state.add(this.now, [[of(name), {}]]);
    if (held) this.promised.set(name, { held, due: [], isLive: false, isWaiting: false });
  }

  private remove(name: string): void {
    const promised = this.promised.get(name);
    if (promised) this.state.remove(this.now, promised.held);
    this.promised.delete(name);
  }

  private deliver(id: number, call: Serving): void {
    const message = call.queue.shift();
    if (!message) return;
    call.isAnnounced ||= message.type === "reconnect";
    this.state.onMessage(this.now, id, message);
  }

  private break(id: number, call: Serving): void {
    this.server.calls.delete(id);
    this.hear();
    this.lastDelay = undefined;
    this.state.onEnd(this.now, id, new PokeError("UNAVAILABLE", "broken"));
    this.hear();
    // However often something failed while the call lived: who was asked to leave is back as after a first loss.
    if (call.isAnnounced && this.lastDelay !== undefined) expect(this.lastDelay).toBe(SPREAD / 2);
  }

  publish(name: string): void {
    this.server.publish(name);
    this.promised.get(name)?.due.push(place(this.server.at(this.server.head)));
  }

  private hear(): void {
    for (const { event, error } of this.state.takeNotices()) {
      expect(error, "no fault of this world is final").toBeUndefined();
      if (event?.type === "reconnecting") this.lastDelay = event.delay;
      if (event && "interest" in event) this.hearOf(event);
    }
  }

  private hearOf(event: SharedEvent & { interest: Interest }): void {
    const promised = this.promised.get(event.interest.filter);
    expect(promised, "an event of an interest that nobody holds").toBeDefined();
    if (!promised) return;
    if (event.type === "rejected") {
      expect([event.reason, event.isFinal]).toEqual(["TOO_MANY_INTERESTS", false]);
      promised.isWaiting = true;
    } else if (event.type === "live") {
      promised.isWaiting = false;
      // What came before the first start was never promised.
      if (!promised.isLive) promised.due = promised.due.filter((due) => due > place(event.position));
      promised.isLive = true;
    } else if (event.type === "poke") {
      expect(promised.isLive && !promised.isWaiting, "a poke while its interest isn't live").toBe(true);
      // A poke that isn't due has been heard before, or comes after a later one.
      expect(promised.due[0]).toBe(place(event.position));
      promised.due.shift();
    } else if (event.type === "gap") {
      promised.due = promised.due.filter((due) => due > place(event.position));
    }
  }

  /** From now on nothing goes wrong. */
  settle(): void {
    this.server.refuses = false;
    for (;;) {
      this.step(["deliver", 0]);
      this.step(["deliver", 1]);
      const calls = [...this.server.calls.values()];
      if (calls.some(({ queue }) => queue.length > 0)) continue;
      if (this.state.deadline() <= this.now + 100_000) this.step(["wait"]);
      else if (calls.some(({ epoch }) => epoch !== this.server.epoch)) this.step(["break", 0]);
      else return;
    }
  }
}

test("the program gets each poke once and in order, or a gap", () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 120, size: "max" }), (ops) => {
      const world = new World();
      for (const op of ops) world.step(op);
      world.settle();
      for (const name of NAMES) world.publish(name);
      world.settle();
      const { limit } = world.state.interests;
      for (const [place, [name, { isLive, isWaiting }]] of [...world.promised].entries()) {
        expect(isWaiting, `${name} waits`).toBe(place >= limit);
        expect(isLive || isWaiting, `${name} is live`).toBe(true);
      }
      // The next call learns that there is room for all.
      world.server.limit = NAMES.length;
      world.step(["move", 0]);
      world.settle();
      for (const [name, { isLive, due }] of world.promised) {
        expect(isLive, `${name} became live`).toBe(true);
        expect(due, `${name} has silently lost`).toEqual([]);
      }
    }),
    { numRuns: 300 },
  );
});
