import { bytes, count, plural } from "../format.js";
import type { Refused, Status } from "./state.js";

/** "5: 3 not found, 2 resource exhausted" */
export function reasons(refused: readonly Refused[], what: Refused["what"]): string {
  const all = refused.filter((one) => one.what === what).sort((one, other) => other.count - one.count);
  const sum = all.reduce((sum, { count }) => sum + count, 0);
  const each = all.map(({ reason, count: n }) => `${count(n)} ${reason.replaceAll("_", " ")}`);
  return [count(sum), ...(each.length > 0 ? [each.join(", ")] : [])].join(": ");
}

function figures({ now, total, memory, epoch, configReloads, refused }: Status): [string, string][] {
  const bound = memory.boundBytes === null ? "without a bound" : `of ${bytes(memory.boundBytes)}`;
  return [
    ["Connections", `${count(now.connections)} now, ${count(total.connectionsOpened)} since the start`],
    ["Streams", `${count(now.streams)} now, ${count(total.streamsOpened)} since the start`],
    ["Stalled streams", count(now.streamsStalled)],
    ["Interests held", count(now.interests)],
    ["Retained", `${plural(now.retainedPokes, "poke")}, ${bytes(now.retainedBytes)}`],
    ["Ends kept", bytes(now.endsBytes)],
    ["Idempotency keys", count(now.idempotencyKeys)],
    ["Requests being read", bytes(now.requestBytes)],
    ["Published", `${plural(total.published, "poke")}, ${plural(total.duplicates, "repeat")}`],
    ["Delivered", `${plural(total.delivered, "poke")}, ${bytes(total.deliveredBytes)}`],
    ["Interests ended", count(total.ended)],
    ["Gaps told", count(total.gaps)],
    ["Calls refused", reasons(refused, "call")],
    ["Streams refused", reasons(refused, "stream")],
    ["Connections refused", reasons(refused, "connection")],
    ["Memory", `${bytes(memory.residentBytes)} ${bound}`],
    ["History", epoch],
    ["Configuration", configReloads === 0 ? "as at the start" : `replaced ${plural(configReloads, "time")}`],
  ];
}

/** Everything that is counted. */
export function Figures({ status }: { status: Status }) {
  return (
    <section class="panel" aria-labelledby="figures-title">
      <header>
        <h2 id="figures-title">Since the start</h2>
      </header>
      <dl class="figures">
        {figures(status).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
