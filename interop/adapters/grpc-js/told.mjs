// What happens, as all adapters tell it, and data as the contract has it.
import { status } from "@grpc/grpc-js";
import protobuf from "protobufjs";

const errors = protobuf.loadSync("proto/poke/v1/errors.proto");
const ErrorStatus = errors.lookupType("poke.v1.ErrorStatus");
const ErrorInfo = errors.lookupType("poke.v1.ErrorInfo");

export function toldEvent(response) {
  const of = response[response.event];
  switch (response.event) {
    case "welcome":
      return { event: "connected", streamId: of.streamId };
    case "subscribed":
      return { event: "live", ...toldInterest(of.interest), ...placed(of), outcome: toldEnum(of.outcome, "OUTCOME_") };
    case "rejected": {
      const { code, reason, message, retryDelay } = of;
      return { event: "rejected", ...toldInterest(of.interest), code: status[code], reason, message, final: !retryDelay };
    }
    case "poke":
      return { event: "poke", ...toldInterest(of), ...placed(of), ...toldData(of), publishTime: toldTime(of.publishTime) };
    case "gap": {
      const reason = toldEnum(of.reason, "GAP_REASON_");
      const missedCount = of.missedCount === undefined ? undefined : Number(of.missedCount);
      const reloadAfterMs = milliseconds(of.reloadSpread);
      return { event: "gap", ...toldInterest(of.interest), ...placed(of), reason, missedCount, reloadAfterMs };
    }
    case "ended":
      return { event: "ended", ...toldInterest(of.interest), ...placed(of), ...toldData(of) };
    case "heartbeat":
      return { event: "heartbeat", checkpoints: (of.checkpoints ?? []).map(toldPosition) };
    case "reconnect": {
      const reason = toldEnum(of.reason, "RECONNECT_REASON_");
      const [minDelayMs, maxDelayMs, closesAfterMs] = [of.minDelay, of.maxDelay, of.closesAfter].map(milliseconds);
      return { event: "reconnect", reason, minDelayMs, maxDelayMs, closesAfterMs };
    }
  }
}

export function toldError({ code, details, metadata, message }) {
  const told = { code: status[code], message: details ?? message };
  const [packed] = metadata?.get("grpc-status-details-bin") ?? [];
  for (const detail of packed ? ErrorStatus.decode(packed).details : []) {
    if (detail.type_url.endsWith("google.rpc.ErrorInfo")) told.reason = ErrorInfo.decode(detail.value).reason;
  }
  return told;
}

export function toldPosition({ epoch = "", sequence = "0" } = {}) {
  return { epoch, sequence };
}

/** JSON as a google.protobuf.Value. */
export function toValue(data) {
  if (data === null) return { nullValue: "NULL_VALUE" };
  if (typeof data === "boolean") return { boolValue: data };
  if (typeof data === "number") return { numberValue: data };
  if (typeof data === "string") return { stringValue: data };
  if (Array.isArray(data)) return { listValue: { values: data.map(toValue) } };
  const fields = Object.entries(data).map(([key, value]) => [key, toValue(value)]);
  return { structValue: { fields: Object.fromEntries(fields) } };
}

function toldData({ data }) {
  return data ? { data: fromValue(data) } : {};
}

function fromValue(value) {
  switch (value.kind) {
    case "nullValue":
      return null;
    case "listValue":
      return (value.listValue.values ?? []).map(fromValue);
    case "structValue": {
      const fields = Object.entries(value.structValue.fields ?? {});
      return Object.fromEntries(fields.map(([key, value]) => [key, fromValue(value)]));
    }
    default:
      return value[value.kind];
  }
}

function toldInterest({ domain = "", filter = "", audience } = {}) {
  return { domain, filter, audience: audience === "AUDIENCE_CUSTOMER" ? audience : undefined };
}

function placed({ position }) {
  return { position: toldPosition(position) };
}

function toldEnum(value, prefix) {
  return typeof value === "string" ? value.slice(prefix.length) : "UNSPECIFIED";
}

function toldTime({ seconds = "0", nanos = 0 }) {
  return new Date(Number(seconds) * 1000 + nanos / 1e6).toISOString();
}

function milliseconds({ seconds = "0", nanos = 0 } = {}) {
  return Number(seconds) * 1000 + Math.round(nanos / 1e6);
}
