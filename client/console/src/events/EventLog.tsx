import { useMemo, useState } from "preact/hooks";
import { count, plural } from "../format.js";
import { useStore } from "../store.js";
import { EventRow } from "./EventRow.js";
import { type Entry, interestOf, type Journal, KEPT } from "./journal.js";
import { GROUPS, type Group, says } from "./words.js";

const ALL = Object.keys(GROUPS) as Group[];

function matches({ event }: Entry, groups: ReadonlySet<Group>, text: string): boolean {
  const isShown = ALL.some((group) => groups.has(group) && (GROUPS[group] as readonly string[]).includes(event.type));
  if (!isShown || !text) return isShown;
  const interest = interestOf(event);
  const where = interest ? `${interest.domain}/${interest.filter}` : "";
  return `${event.type} ${where} ${says(event)}`.toLowerCase().includes(text);
}

/** Everything that has happened, the newest first. */
export function EventLog({ journal }: { journal: Journal }) {
  const { entries, total, waiting } = useStore(journal.shown);
  const [groups, setGroups] = useState<ReadonlySet<Group>>(new Set(ALL));
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const shown = useMemo(
    () => entries.filter((entry) => matches(entry, groups, text.trim().toLowerCase())),
    [entries, groups, text],
  );
  const isPaused = waiting !== undefined;
  const focused = shown.some(({ id }) => id === active) ? active : shown[0]?.id;

  const toggle = (group: Group) => {
    const next = new Set(groups);
    if (!next.delete(group)) next.add(group);
    setGroups(next);
  };

  // Who comes back begins with the newest.
  const leave = ({ relatedTarget, currentTarget }: FocusEvent & { currentTarget: HTMLElement }) => {
    if (!currentTarget.contains(relatedTarget as Node | null)) setActive(0);
  };

  return (
    <section class="panel events" aria-labelledby="events-title">
      <header>
        <h2 id="events-title">Events</h2>
        <p class="muted" data-testid="event-count">
          {total > KEPT ? `${count(total)} so far, the newest ${KEPT} are kept` : plural(total, "event")}
          {shown.length < entries.length && `, ${count(shown.length)} shown`}
        </p>
        <div class="buttons">
          <button type="button" aria-pressed={isPaused} onClick={() => (isPaused ? journal.resume() : journal.pause())}>
            {isPaused ? `Resume${waiting > 0 ? ` (${count(waiting)} new)` : ""}` : "Pause"}
          </button>
          <button type="button" disabled={total === 0} onClick={() => journal.clear()}>
            Clear
          </button>
        </div>
      </header>
      <div class="filters">
        <input
          type="search"
          aria-label="Show only events with this text"
          placeholder="Find in events"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <fieldset class="chips">
          <legend class="hidden">Kinds of events that are shown</legend>
          {ALL.map((group) => (
            <label key={group}>
              <input type="checkbox" checked={groups.has(group)} onChange={() => toggle(group)} />
              <span>{group}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {shown.length === 0 ? (
        <p class="empty">
          {total === 0
            ? "Watch an interest, and what happens to it shows here."
            : "No event is of these kinds and has this text."}
        </p>
      ) : (
        <ol class="log" aria-label="Events, the newest first" onKeyDown={moveFocus} onFocusOut={leave}>
          {shown.map((entry) => (
            <EventRow key={entry.id} entry={entry} isActive={entry.id === focused} onActive={setActive} />
          ))}
        </ol>
      )}
    </section>
  );
}

/** One stop for Tab, and arrows within: nobody wants to pass hundreds of rows. */
function moveFocus(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("button.row")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  rows[Math.min(Math.max(to, 0), rows.length - 1)]?.focus();
}
