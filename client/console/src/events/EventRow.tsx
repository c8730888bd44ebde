import { memo } from "preact/compat";
import { useState } from "preact/hooks";
import { time } from "../format.js";
import { type Entry, interestOf } from "./journal.js";
import { dataOf, details, excerpt, says } from "./words.js";

/** One event: a line, and all of it when it is opened. */
export const EventRow = memo(function EventRow({
  entry: { id, at, event },
  isActive,
  onActive,
}: {
  entry: Entry;
  isActive: boolean;
  onActive: (id: number) => void;
}) {
  const [isOpen, setOpen] = useState(false);
  const interest = interestOf(event);
  const data = isOpen ? dataOf(event) : undefined;
  return (
    <li data-kind={event.type}>
      <button
        type="button"
        class="row"
        aria-expanded={isOpen}
        tabIndex={isActive ? 0 : -1}
        onFocus={() => onActive(id)}
        onClick={() => setOpen(!isOpen)}
      >
        <time dateTime={at.toISOString()}>{time(at)}</time>
        <span class="kind">{event.type}</span>
        <span class="interest">{interest && <InterestName {...interest} />}</span>
        <span class="says">{excerpt(event)}</span>
      </button>
      {isOpen && (
        <div class="details">
          <dl class="facts">
            {details(event, at).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          {data !== undefined ? <pre>{data}</pre> : event.type !== "poke" && <p>{says(event)}</p>}
        </div>
      )}
    </li>
  );
});

/** An interest, with its filter standing out. */
export function InterestName({ domain, filter }: { domain: string; filter: string }) {
  return (
    <>
      <span class="domain">{domain}/</span>
      {filter}
    </>
  );
}
