import { useState } from "preact/hooks";
import { InterestName } from "../events/EventRow.js";
import { plural } from "../format.js";
import { InterestFields, isForCustomers, type Typed } from "../InterestFields.js";
import type { Domain } from "../server/state.js";
import { useStore } from "../store.js";
import { keyOf, type Watched, type Watching } from "./watching.js";

/** What is watched, and what is to be. */
export function WatchPanel({
  watching,
  domains,
  onWatch,
}: {
  watching: Watching;
  domains: Domain[];
  onWatch: (interest: Typed) => void;
}) {
  const watched = useStore(watching.watched);
  const [typed, setTyped] = useState<Typed>({ domain: "", filter: "" });
  const [latest, setLatest] = useState(true);
  const [isOwn, setOwn] = useState(false);
  const known = isForCustomers(domains, typed.domain);

  return (
    <section class="panel" aria-labelledby="watch-title">
      <header>
        <h2 id="watch-title">Watch</h2>
      </header>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          const audience = (known ?? isOwn) ? "customer" : "everyone";
          watching.add({ ...typed, audience }, latest);
          onWatch(typed);
          setTyped({ ...typed, filter: "" });
        }}
      >
        <InterestFields value={typed} onInput={setTyped} />
        <div class="line">
          <label class="check">
            <input type="checkbox" checked={latest} onChange={(event) => setLatest(event.currentTarget.checked)} />
            <span>Begin with the latest</span>
          </label>
          {known === undefined && (
            <label class="check">
              <input type="checkbox" checked={isOwn} onChange={(event) => setOwn(event.currentTarget.checked)} />
              <span>To the token's customer</span>
            </label>
          )}
          <button type="submit" class="primary">
            Watch
          </button>
        </div>
      </form>
      {watched.length > 0 && (
        <ul class="watched" aria-label="Watched interests">
          {watched.map((one) => (
            <WatchedRow key={keyOf(one.interest)} watched={one} watching={watching} />
          ))}
        </ul>
      )}
    </section>
  );
}

function WatchedRow({
  watched: { interest, standing, pokes, gaps, why },
  watching,
}: {
  watched: Watched;
  watching: Watching;
}) {
  const isOver = standing === "ended" || standing === "refused" || standing === "failed";
  return (
    <li>
      <p>
        <span class="interest">
          <InterestName {...interest} />
        </span>
        <span class="muted">
          <span class="standing" data-standing={standing}>
            {standing}
          </span>
          {why ? `: ${why}` : `, ${plural(pokes, "poke")}`}
          {gaps > 0 && `, ${plural(gaps, "gap")}`}
        </span>
      </p>
      {isOver && (
        <button
          type="button"
          class="quiet"
          aria-label={`Watch ${interest.domain}/${interest.filter} again`}
          onClick={() => watching.add(interest, false)}
        >
          Again
        </button>
      )}
      <button
        type="button"
        class="quiet"
        aria-label={`Stop watching ${interest.domain}/${interest.filter}`}
        onClick={() => watching.remove(interest)}
      >
        <span aria-hidden="true">✕</span>
      </button>
    </li>
  );
}
