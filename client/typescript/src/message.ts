import type { Duration } from "@bufbuild/protobuf/wkt";
import { fromValue } from "./data.js";
import { Unreadable } from "./error.js";
import {
  type Reconnect,
  ReconnectReason,
  type Rejected,
  type SubscribeResponse,
  type Welcome,
  type Poke as WirePoke,
  type Position as WirePosition,
} from "./gen/poke/v1/poke_pb.js";
import { interestFromWire, positionFromWire } from "./interests.js";
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
  RejectedReceived,
} from "./types.js";

/** An event of the wire, checked and in the client's own terms. Times are durations in milliseconds. */
export type Message =
  | { type: "welcome"; connected: ConnectedReceived; reconnectSpread: number }
  | { type: "subscribed"; live: LiveReceived }
  | { type: "rejected"; rejected: RejectedReceived; retryDelay: number | undefined }
  | { type: "poke"; poke: PokeReceived }
  | WireGap
  | { type: "ended"; ended: EndedReceived }
  | { type: "heartbeat"; checkpoints: Position[] }
  | WireReconnect
  | { type: "unknown" };

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

const OUTCOMES: (Outcome | undefined)[] = ["fresh", "fresh", "recovered", "gap"];
const REASONS: (GapReason | undefined)[] = ["unspecified", "epoch_changed", "evicted", "lagged", "backplane"];

/** @throws Unreadable without a position or an interest that the contract promises. */
export function toMessage({ event }: SubscribeResponse): Message {
  switch (event.case) {
    case "welcome":
      return fromWelcome(event.value);
    case "subscribed": {
      const { interest, position, outcome } = event.value;
      const live = {
        interest: readInterest(interest),
        position: readPosition(position),
        outcome: OUTCOMES[outcome] ?? "fresh",
      };
      return { type: "subscribed", live: { type: "live", ...live } };
    }
    case "rejected":
      return fromRejected(event.value);
    case "poke":
      return { type: "poke", poke: fromPoke(event.value) };
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
      const ended = { interest: readInterest(interest), position: readPosition(position), data: fromValue(data) };
      return { type: "ended", ended: { type: "ended", ...ended } };
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

function fromRejected({ interest, code, reason, message, retryDelay }: Rejected): Message {
  const isFinal = retryDelay === undefined;
  const rejected = { interest: readInterest(interest), code: codeName(code), reason, message, isFinal };
  return { type: "rejected", rejected: { type: "rejected", ...rejected }, retryDelay: milliseconds(retryDelay) };
}

function fromPoke(poke: WirePoke): PokeReceived {
  return {
    type: "poke",
    interest: interestFromWire(poke),
    data: fromValue(poke.data),
    position: readPosition(poke.position),
    publishTime: new Date(timestamp(poke.publishTime)),
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
    renewToken: reconnect.reason === ReconnectReason.TOKEN_EXPIRING,
  };
}

function timestamp(time: WirePoke["publishTime"]): number {
  return time ? Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6) : 0;
}

function readInterest(interest: Parameters<typeof interestFromWire>[0] | undefined): Interest {
  if (!interest) throw new Unreadable("it has no interest");
  return interestFromWire(interest);
}

function readPosition(position: WirePosition | undefined): Position {
  if (!position) throw new Unreadable("it has no position");
  return positionFromWire(position);
}
