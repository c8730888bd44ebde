import { checkText, refuse } from "./data.js";
import type { Audience as WireAudience, Interest as WireInterest, Position as WirePosition } from "./gen/poke/v1/poke_pb.js";
import type { Interest, Position } from "./types.js";

/** Where an interest starts: after a position, with the newest retained poke, or else with new ones. */
export interface Start {
  after?: Position | undefined;
  latest?: boolean | undefined;
}

/** An interest that somebody holds. Removed and added again it is another one. */
export class Held {
  /** How many times it was added and not yet removed. */
  holders = 1;
  /** Where the next call starts; `after` is the saved position. */
  start: Start;
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

  constructor(
    readonly interest: Interest,
    start: Start,
  ) {
    this.start = start;
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

  /** Its call is over. */
  release(): void {
    this.owner = undefined;
    this.awaitsGap = false;
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

/** A copy that nobody changes. @throws PokeError INVALID_ARGUMENT, for programs without types. */
export function checkInterest(interest: Interest, path: string): Interest {
  const domain = checkText(interest?.domain, `${path}.domain`);
  const filter = checkText(interest.filter, `${path}.filter`);
  const audience = interest.audience ?? "everyone";
  if (audience !== "everyone" && audience !== "customer") refuse(`${path}.audience`, `must be "everyone" or "customer"`);
  return Object.freeze(audience === "customer" ? { domain, filter, audience } : { domain, filter });
}

/** @throws PokeError INVALID_ARGUMENT when it isn't one that a client has said. */
export function checkPosition(position: Position, path: string): Position {
  const epoch = checkText(position?.epoch, `${path}.epoch`);
  const sequence = checkText(position.sequence, `${path}.sequence`);
  if (!/^-?\d{1,19}$/.test(sequence) || BigInt.asIntN(64, BigInt(sequence)) !== BigInt(sequence)) {
    refuse(`${path}.sequence`, "must be an integer of 64 bits, as text");
  }
  return { epoch, sequence };
}

const CUSTOMER: WireAudience.CUSTOMER = 1;

export function interestToWire({ domain, filter, audience }: Interest) {
  return { domain, filter, audience: audience === "customer" ? CUSTOMER : 0 };
}

/** An unknown audience is read as the zero value. */
export function interestFromWire({
  domain,
  filter,
  audience,
}: Pick<WireInterest, "domain" | "filter" | "audience">): Interest {
  return audience === CUSTOMER ? { domain, filter, audience: "customer" } : { domain, filter };
}

export function positionToWire({ epoch, sequence }: Position) {
  return { epoch, sequence: BigInt(sequence) };
}

export function positionFromWire({ epoch, sequence }: WirePosition): Position {
  return { epoch, sequence: sequence.toString() };
}
