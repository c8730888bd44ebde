import { type PokeError, TOO_MANY_INTERESTS } from "./error.js";
import type { WireGap } from "./message.js";
import { ASSUMED_LIMIT } from "./numbers.js";
import type {
  EndedReceived,
  Interest,
  LiveReceived,
  PokeEvent,
  PokeReceived,
  Position,
  Refusal,
  RejectedReceived,
} from "./types.js";

/** Where an interest starts: after a position, with the newest retained poke, or else with new ones. */
export interface Start {
  after?: Position | undefined;
  latest?: boolean | undefined;
}

/** An event as it is for all listeners: each of them handles a refusal for itself. */
export type SharedEvent = Exclude<PokeEvent, RejectedReceived> | Refusal;

/** What the program hears. */
export interface Notice {
  event?: SharedEvent;
  /** Nothing follows for those who listen now. */
  error?: PokeError;
  /** Whom it concerns; without it, everybody. */
  held?: Held;
  /** Positions that count as taken when the program has taken it. */
  saves?: [Held, Position][];
}

/** An interest that somebody holds. Removed and added again it is another one. */
export class Held {
  readonly key: string;
  /** How many times it was added and not yet removed. */
  holders = 0;
  /** Through the last event that all of its listeners have taken. */
  taken: Position | undefined;
  /** The newest call on which it is live. What older ones still deliver is dropped. */
  owner: number | undefined;
  /** Where that call started. */
  liveFrom: Position | undefined;
  /** Its call has said that a gap comes next: until then no checkpoint may raise the saved position past the loss. */
  awaitsGap = false;
  /** Its position was given up because of a message that can't be read: the program must hear of a gap. */
  owesGap = false;
  /** Refused until then. */
  retryAt: number | undefined;
  /** The refusal that the program was told, while the interest is over the limit of a stream. */
  surplus: Refusal | undefined;

  /** @param start where the next call starts; `after` is the saved position. */
  constructor(
    readonly interest: Interest,
    public start: Start,
  ) {
    this.key = keyOf(interest);
    this.taken = start.after;
  }

  /** Whether `call` may say something about it: no newer call delivers it. */
  heeds(call: number): boolean {
    return this.owner === undefined || this.owner <= call;
  }

  hasSeen(position: Position): boolean {
    return this.start.after !== undefined && isAtOrBefore(position, this.start.after);
  }

  save(position: Position): void {
    this.start = { after: position };
  }
}

/** All interests that somebody holds, in the order of their first `add`, and what the events of a call mean for them. */
export class Interests extends Map<string, Held> {
  /** How many of them one call may carry: the first ones. The others wait for room. */
  limit = ASSUMED_LIMIT;
  readonly #tell: (notice: Notice) => void;

  /** @param tell what the program is to hear */
  constructor(tell: (notice: Notice) => void) {
    super();
    this.#tell = tell;
  }

  find(interest: Interest): Held | undefined {
    return this.get(keyOf(interest));
  }

  /** The interests that a call may carry, also those that wait for a retry. */
  admitted(): Held[] {
    return [...this.values()].slice(0, this.limit);
  }

  /**
   * Tells each interest that is newly over the limit, and returns those. It keeps its position, but no call delivers it: it
   * goes on from there once there is room.
   */
  refuseSurplus(): Held[] {
    const all = [...this.values()];
    for (const held of all.slice(0, this.limit)) held.surplus = undefined;
    const fallen = all.slice(this.limit).filter(({ surplus }) => !surplus);
    for (const held of fallen) {
      held.owner = undefined;
      held.awaitsGap = false;
      held.surplus = {
        type: "rejected",
        interest: held.interest,
        code: "INVALID_ARGUMENT",
        reason: TOO_MANY_INTERESTS,
        message: `over the limit of ${this.limit} interests of a stream; it is asked for when there is room`,
        isFinal: false,
      };
      this.#tellOf(held, held.surplus);
    }
    return fallen;
  }

  ownedBy(call: number): Held[] {
    return [...this.values()].filter(({ owner }) => owner === call);
  }

  /** It is live on `call`, unless that was asked for another one of this name, or a newer call delivers it. */
  subscribed(call: number, carried: Held | undefined, live: LiveReceived): void {
    const held = this.find(live.interest);
    if (!held || held !== carried || held.surplus || !held.heeds(call)) return;
    const { position } = live;
    const wasLive = held.owner !== undefined;
    held.owner = call;
    held.liveFrom = position;
    held.retryAt = undefined;
    held.awaitsGap = live.outcome === "gap";
    // The start of a call that has lost something isn't saved: if the call broke before its gap, nobody would ever hear of
    // the loss.
    if (!held.awaitsGap && !held.hasSeen(position)) held.save(position);
    if (!wasLive) this.#tellOf(held, live, held.awaitsGap ? undefined : position);
    if (!held.owesGap) return;
    held.owesGap = false;
    this.#tellOf(held, { type: "gap", interest: held.interest, reason: "undecodable", position, reloadAfter: 0 }, position);
  }

  poke(call: number, poke: PokeReceived): void {
    const held = this.find(poke.interest);
    if (held?.owner !== call || held.hasSeen(poke.position)) return;
    held.save(poke.position);
    this.#tellOf(held, poke, poke.position);
  }

  /** `held` has lost something, and it is accounted for. The position of a new epoch replaces any other. */
  lost(held: Held, { reason, position, missedCount }: WireGap, reloadAfter: number): void {
    held.awaitsGap = false;
    if (reason !== "epoch_changed" && held.hasSeen(position)) return;
    held.save(position);
    const missed = missedCount === undefined ? {} : { missedCount };
    this.#tellOf(held, { type: "gap", interest: held.interest, reason, position, ...missed, reloadAfter }, position);
  }

  /** It is over, for whoever held it. An end always counts: its position can lie before one that a checkpoint has raised. */
  finish(held: Held, event: EndedReceived | Refusal): void {
    this.#tellOf(held, event);
    this.delete(held.key);
  }

  /** It is refused for now. */
  postpone(held: Held, rejected: Refusal, retryAt: number): void {
    this.#tellOf(held, rejected);
    held.owner = undefined;
    held.retryAt = retryAt;
  }

  /** Everything that `call` delivers in these epochs is complete through there. */
  raise(call: number, checkpoints: Position[]): void {
    const saves: [Held, Position][] = [];
    for (const held of this.ownedBy(call)) {
      const saved = held.start.after;
      if (held.awaitsGap || !saved) continue;
      const checkpoint = checkpoints.find((checkpoint) => !held.hasSeen(checkpoint) && isAtOrBefore(saved, checkpoint));
      if (!checkpoint) continue;
      held.save(checkpoint);
      saves.push([held, checkpoint]);
    }
    if (saves.length > 0) this.#tell({ saves });
  }

  /** `call` is over. */
  release(call: number): void {
    for (const held of this.ownedBy(call)) {
      held.owner = undefined;
      held.awaitsGap = false;
    }
  }

  /** Nobody knows how far these have come on `call`: they start afresh, and what was known is a gap. */
  startAfresh(call: number, carried: Iterable<Held>): void {
    for (const held of carried) {
      if (this.get(held.key) !== held || (held.owner !== undefined && held.owner !== call)) continue;
      held.owesGap ||= held.start.after !== undefined || held.start.latest === true;
      held.start = {};
    }
  }

  #tellOf(held: Held, event: Extract<SharedEvent, { interest: Interest }>, position?: Position): void {
    const named: SharedEvent = { ...event, interest: held.interest };
    this.#tell({ event: named, held, saves: position ? [[held, position]] : [] });
  }
}

/** Names an interest among others. */
export function keyOf({ domain, filter, audience }: Interest): string {
  return JSON.stringify([domain, filter, audience === "customer"]);
}

/** Of two epochs neither is before the other. */
export function isAtOrBefore(position: Position, other: Position): boolean {
  return position.epoch === other.epoch && BigInt(position.sequence) <= BigInt(other.sequence);
}
