import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { fromValue } from "./data.js";
import { Unreadable } from "./error.js";
import type {
  Audience,
  Reconnect,
  ReconnectReason,
  SubscribeResponse,
  SubscriptionSchema,
  Welcome,
  Interest as WireInterest,
  Position as WirePosition,
} from "./gen/poke/v1/poke_pb.js";
import type { Held } from "./interests.js";
import { DEFAULT_HEARTBEAT } from "./numbers.js";
import { codeName, milliseconds } from "./status.js";
import type {
  ConnectedReceived,
  EndedReceived,
  GapReason,
  Interest,
  LiveReceived,
  Outcome,
  PokeReceived,
  Position,
  Refusal,
} from "./types.js";

/** An event of the wire, checked and in the client's own terms. Times are durations in milliseconds. */
export type Message =
  | { type: "welcome"; connected: ConnectedReceived; reconnectSpread: number }
  | LiveReceived
  | WireRejected
  | PokeReceived
  | WireGap
  | EndedReceived
  | { type: "heartbeat"; checkpoints: Position[] }
  | WireReconnect
  | { type: "unknown" };

/** A refusal, and when to ask again. */
export interface WireRejected extends Refusal {
  retryDelay: number | undefined;
}

/** A gap of one interest, or of all. */
export interface WireGap {
  type: "gap";
  interest: Interest | undefined;
  reason: GapReason;
  position: Position;
  missedCount: number | undefined;
  reloadSpread: number;
}

/** The server asks to move within a window, and closes the call later on. */
export interface WireReconnect {
  type: "reconnect";
  minDelay: number;
  maxDelay: number;
  closesAfter: number | undefined;
  renewToken: boolean;
}

/** What a Date can hold, in milliseconds. */
const LATEST_DATE = 8.64e15;

const OUTCOMES: (Outcome | undefined)[] = ["fresh", "fresh", "recovered", "gap"];
const REASONS: (GapReason | undefined)[] = ["unspecified", "epoch_changed", "evicted", "lagged", "backplane"];

/** @throws Unreadable without a position or an interest that the contract promises. */
export function toMessage({ event }: SubscribeResponse): Message {
  switch (event.case) {
    case "welcome":
      return fromWelcome(event.value);
    case "subscribed": {
      const { interest, position, outcome } = event.value;
      return {
        type: "live",
        interest: readInterest(interest),
        position: readPosition(position),
        outcome: OUTCOMES[outcome] ?? "fresh",
      };
    }
    case "rejected": {
      const { interest, code, reason, message, retryDelay } = event.value;
      const answer = { interest: readInterest(interest), code: codeName(code), reason, message, isFinal: !retryDelay };
      return { type: "rejected", ...answer, retryDelay: milliseconds(retryDelay) };
    }
    case "poke": {
      const { data, position, publishTime } = event.value;
      const time = publishTime ? Number(publishTime.seconds) * 1000 + Math.floor(publishTime.nanos / 1e6) : 0;
      const isDate = Math.abs(time) <= LATEST_DATE;
      const told = { data: fromValue(data), position: readPosition(position), publishTime: new Date(isDate ? time : 0) };
      return { type: "poke", interest: interestFromWire(event.value), ...told };
    }
    case "gap": {
      const { interest, reason, position, missedCount, reloadSpread } = event.value;
      return {
        type: "gap",
        interest: interest && interestFromWire(interest),
        reason: REASONS[reason] ?? "unspecified",
        position: readPosition(position),
        missedCount: missedCount === undefined ? undefined : Number(missedCount),
        reloadSpread: milliseconds(reloadSpread) ?? 0,
      };
    }
    case "ended": {
      const { interest, position, data } = event.value;
      return { type: "ended", interest: readInterest(interest), position: readPosition(position), data: fromValue(data) };
    }
    case "heartbeat":
      return { type: "heartbeat", checkpoints: event.value.checkpoints.map(positionFromWire) };
    case "reconnect":
      return fromReconnect(event.value);
    default:
      return { type: "unknown" };
  }
}

function fromWelcome({ streamId, heartbeatInterval, limits, reconnectSpread }: Welcome): Message {
  return {
    type: "welcome",
    connected: {
      type: "connected",
      streamId,
      limits: {
        maxInterests: limits?.maxInterests ?? 0,
        maxPokeBytes: limits?.maxPokeBytes ?? 0,
        maxDataDepth: limits?.maxDataDepth ?? 0,
        retentionWindow: milliseconds(limits?.retentionWindow) ?? 0,
      },
      heartbeatInterval: milliseconds(heartbeatInterval) || DEFAULT_HEARTBEAT,
    },
    reconnectSpread: milliseconds(reconnectSpread) ?? 0,
  };
}

function fromReconnect(reconnect: Reconnect): Message {
  const cut = (delay: Duration | undefined, limit = Number.POSITIVE_INFINITY) => Math.min(milliseconds(delay) ?? 0, limit);
  const closesAfter = milliseconds(reconnect.closesAfter);
  const maxDelay = cut(reconnect.maxDelay, closesAfter);
  const minDelay = cut(reconnect.minDelay, maxDelay);
  return {
    type: "reconnect",
    minDelay,
    maxDelay,
    closesAfter,
    renewToken: reconnect.reason === TOKEN_EXPIRING,
  };
}

function readInterest(interest: Parameters<typeof interestFromWire>[0] | undefined): Interest {
  if (!interest) throw new Unreadable("it has no interest");
  return interestFromWire(interest);
}

function readPosition(position: WirePosition | undefined): Position {
  if (!position) throw new Unreadable("it has no position");
  return positionFromWire(position);
}

// As numbers, because a page would load the names of all values for one of them.
export const CUSTOMER: typeof Audience.CUSTOMER = 1;
const TOKEN_EXPIRING: typeof ReconnectReason.TOKEN_EXPIRING = 3;

/** An unknown audience is read as the zero value. */
function interestFromWire({ domain, filter, audience }: Pick<WireInterest, "domain" | "filter" | "audience">): Interest {
  return audience === CUSTOMER ? { domain, filter, audience: "customer" } : { domain, filter };
}

/** What a call asks for. */
export function toSubscription({ interest, start }: Held): MessageInitShape<typeof SubscriptionSchema> {
  const { domain, filter, audience } = interest;
  const { after, latest } = start;
  return {
    interest: { domain, filter, audience: audience === "customer" ? CUSTOMER : 0 },
    ...(latest && { start: { case: "latest", value: {} } }),
    ...(after && { start: { case: "after", value: { epoch: after.epoch, sequence: BigInt(after.sequence) } } }),
  };
}

export function positionFromWire({ epoch, sequence }: WirePosition): Position {
  return { epoch, sequence: sequence.toString() };
}
