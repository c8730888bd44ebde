import { bytes, short } from "../format.js";
import { useStore } from "../store.js";
import type { Monitor } from "./monitor.js";
import type { Sample } from "./rates.js";
import { Sparkline } from "./Sparkline.js";

const TILES: { name: string; of: keyof Omit<Sample, "at">; unit?: string; write?: (n: number) => string }[] = [
  { name: "Streams", of: "streams" },
  { name: "Published", of: "published", unit: "/s" },
  { name: "Delivered", of: "delivered", unit: "/s" },
  { name: "Gaps", of: "gaps", unit: "/s" },
  { name: "Refused", of: "refused", unit: "/s" },
  { name: "Memory", of: "residentBytes", write: bytes },
];

/** The numbers to look at first. */
export function Tiles({ monitor, isStale }: { monitor: Monitor; isStale: boolean }) {
  const samples = useStore(monitor.samples);
  return (
    <section class="tiles" data-stale={isStale} aria-label="The server at this moment">
      {TILES.map(({ name, of, unit = "", write = short }) => {
        const points = samples.map((sample) => ({ at: sample.at, value: sample[of] }));
        return (
          <div key={name} class="tile" data-of={of}>
            <h2>{name}</h2>
            <p>
              {points.length > 0 ? write(points.at(-1)?.value ?? 0) : "–"}
              <span class="unit">{unit}</span>
            </p>
            <Sparkline name={unit ? `${name} a second` : name} points={points} write={write} />
          </div>
        );
      })}
    </section>
  );
}
