import type { GapReceived, LiveReceived } from "multicast-poke";
import { duration, plural } from "../format.js";
import { type Event, interestOf } from "./journal.js";

const GAPS: Record<GapReceived["reason"], string> = {
  unspecified: "something was lost",
  epoch_changed: "the server's history began anew",
  evicted: "what was missed isn't kept any more",
  lagged: "this page read too slowly",
  backplane: "the servers lost touch with each other",
  undecodable: "a message could not be read",
};

const STARTS: Record<LiveReceived["outcome"], string> = {
  fresh: "from here on",
  recovered: "goes on where it was",
  gap: "with a gap",
};

/** What an event says, in a line. */
export function says(event: Event): string {
  switch (event.type) {
    case "poke":
      return event.data === undefined ? "no data" : JSON.stringify(event.data);
    case "gap": {
      const missed = event.missedCount === undefined ? "" : `, ${plural(event.missedCount, "poke")} missed`;
      return `${GAPS[event.reason]}${missed}`;
    }
    case "ended":
      return event.data === undefined ? "there is no more" : `there is no more: ${JSON.stringify(event.data)}`;
    case "rejected":
      return `${event.reason || event.code}: ${event.message}${event.isFinal ? "" : " (asked again)"}`;
    case "live":
      return STARTS[event.outcome];
    case "connected":
      return `stream ${event.streamId}, at most ${duration(event.heartbeatInterval / 1000)} of silence`;
    case "reconnecting":
      return `in ${duration(Math.ceil(event.delay / 1000))}: ${event.cause.message}`;
    case "failed":
      return `${event.error.reason ?? event.error.code}: ${event.error.message}`;
  }
}

/** Characters of a row: more than fits on a wide screen. All of it shows when the row is opened. */
const ROW_MAX = 300;

/** What an event says, cut to what a row can show. */
export function excerpt(event: Event): string {
  const text = says(event);
  return text.length > ROW_MAX ? `${text.slice(0, ROW_MAX)}…` : text;
}

/** What is told beside that, a name and a value each. */
export function details(event: Event, at: Date): [string, string][] {
  const lines: [string, string][] = [];
  if ("position" in event) lines.push(["Position", `${event.position.epoch}:${event.position.sequence}`]);
  if (interestOf(event)?.audience === "customer") lines.push(["Audience", "the token's customer"]);
  if (event.type === "poke") {
    const delay = at.getTime() - event.publishTime.getTime();
    lines.push(["Published", `${event.publishTime.toISOString()} by the server's clock, ${delay} ms earlier`]);
  }
  if (event.type === "gap") lines.push(["Reload after", `${Math.round(event.reloadAfter)} ms`]);
  if (event.type === "rejected") lines.push(["Code", event.code], ["Final", event.isFinal ? "yes" : "no"]);
  if (event.type === "connected") {
    const { maxInterests, maxPokeBytes, maxDataDepth, retentionWindow } = event.limits;
    lines.push(
      ["Limits", `${maxInterests} interests, ${maxPokeBytes} bytes a poke, ${maxDataDepth} levels of data`],
      ["Kept for", duration(retentionWindow / 1000)],
    );
  }
  if (event.type === "failed" || event.type === "reconnecting") {
    const error = event.type === "failed" ? event.error : event.cause;
    lines.push(["Code", error.code]);
    if (error.httpStatus !== undefined) lines.push(["HTTP status", String(error.httpStatus)]);
  }
  return lines;
}

/** Its data, to be read; nothing if it has none. */
export function dataOf(event: Event): string | undefined {
  const data = event.type === "poke" || event.type === "ended" ? event.data : undefined;
  return data === undefined ? undefined : JSON.stringify(data, null, 2);
}

/** The kinds that are shown or hidden together. */
export const GROUPS = {
  pokes: ["poke"],
  gaps: ["gap"],
  ends: ["ended", "rejected"],
  connection: ["connected", "live", "reconnecting", "failed"],
} as const satisfies Record<string, Event["type"][]>;

export type Group = keyof typeof GROUPS;
