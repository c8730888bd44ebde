import { useEffect, useRef, useState } from "preact/hooks";
import { plural } from "../format.js";
import type { Event, Journal } from "./journal.js";

/** Milliseconds between two announcements: a screen reader must get to read something else. */
const INTERVAL = 5000;

const NAMES: Record<Event["type"], string> = {
  poke: "poke",
  gap: "gap",
  ended: "end",
  rejected: "refusal",
  live: "interest live",
  connected: "connection",
  reconnecting: "lost connection",
  failed: "failure",
};

/** Tells a screen reader how much of what has come, now and then; not each event, which would be a flood. */
export function Announcer({ journal }: { journal: Journal }) {
  const [text, setText] = useState("");
  const told = useRef(0);
  useEffect(() => {
    const timer = setInterval(() => {
      const { entries, total, waiting } = journal.shown.value;
      if (waiting !== undefined) return;
      // It was cleared.
      if (total < told.current) told.current = total;
      const fresh = entries.slice(0, total - told.current);
      told.current = total;
      if (fresh.length > 0) setText(summary(fresh.map(({ event }) => event.type)));
    }, INTERVAL);
    return () => clearInterval(timer);
  }, [journal]);
  return (
    <p class="hidden" role="status" data-testid="announcer">
      {text}
    </p>
  );
}

/** "2 pokes, 1 gap" */
export function summary(types: Event["type"][]): string {
  const counts = new Map<Event["type"], number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, n]) => plural(n, NAMES[type], many(NAMES[type]))).join(", ");
}

function many(name: string): string {
  return name === "interest live" ? "interests live" : `${name}s`;
}
