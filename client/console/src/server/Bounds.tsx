import { bytes } from "../format.js";
import type { Settings } from "./state.js";

/** What bounds clients, each with its reason. */
export function Bounds({ settings: { bounds, maxPokeBytes, maxDataDepth } }: { settings: Settings }) {
  const sections = [...new Set(bounds.map(({ name }) => name.split(".")[0] ?? ""))];
  return (
    <section class="panel" aria-labelledby="bounds-title">
      <header>
        <h2 id="bounds-title">Limits</h2>
        <p class="muted">
          A poke has at most {bytes(maxPokeBytes)}, its data at most {maxDataDepth} levels. The rest is set:
        </p>
      </header>
      {sections.map((section) => (
        <details key={section}>
          <summary>{section}</summary>
          <dl class="bounds">
            {bounds
              .filter(({ name }) => name.startsWith(`${section}.`))
              .map(({ name, value, reason }) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>
                    <strong>{value}</strong>
                    <p class="muted">{reason}</p>
                  </dd>
                </div>
              ))}
          </dl>
        </details>
      ))}
    </section>
  );
}
