import { bytes, count, duration, plural } from "../format.js";
import type { Domain, Settings } from "./state.js";

/** Each domain: to whom, by whom, for how long. */
export function Domains({ settings: { domains, windowSeconds } }: { settings: Settings }) {
  return (
    <section class="panel" aria-labelledby="domains-title">
      <header>
        <h2 id="domains-title">Domains</h2>
      </header>
      {domains.length === 0 ? (
        <p class="empty">This server has no domain: nothing can be published.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Domain</th>
              <th scope="col">Pokes go to</th>
              <th scope="col">Who publishes</th>
              <th scope="col">Who listens</th>
              <th scope="col">Keeps of each interest</th>
              <th scope="col">At most</th>
            </tr>
          </thead>
          <tbody>
            {domains.map((domain) => (
              <tr key={domain.name}>
                <th scope="row">{domain.name ?? (domains.length === 1 ? "every domain" : "any other")}</th>
                <td data-label="Pokes go to">
                  {domain.audience === "customer" ? "one customer each" : "everyone who listens"}
                </td>
                <td data-label="Who publishes">
                  <ul>
                    {domain.publishers.map((publisher) => (
                      <li key={publisher}>{publisher}</li>
                    ))}
                  </ul>
                </td>
                <td data-label="Who listens">{domain.subscribers}</td>
                <td data-label="Keeps of each interest">
                  {plural(domain.retainedPokes, "poke")} or {bytes(domain.retainedBytes)}, for {duration(windowSeconds)}
                </td>
                <td data-label="At most">{rates(domain)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function rates({ rate, publisherRate }: Domain): string {
  const all = rate === null ? "" : `${count(rate)}/s in all`;
  const one = publisherRate === null ? "" : `${count(publisherRate)}/s of a publisher`;
  return [all, one].filter(Boolean).join(", ") || "any rate";
}
