import { short } from "../format.js";
import { SAMPLES } from "./rates.js";

const HEIGHT = 30;

/** A number over the last minutes, drawn small. Its text alternative has the figures that matter. */
export function Sparkline({
  name,
  values,
  write = short,
}: {
  name: string;
  values: number[];
  write?: (n: number) => string;
}) {
  const most = Math.max(...values, 0);
  const text = `${name} over the last five minutes: now ${write(values.at(-1) ?? 0)}, at most ${write(most)}, at least ${write(
    Math.min(...values, most),
  )}`;
  const line = values
    .map(
      (value, n) =>
        `${n === 0 ? "M" : "L"}${SAMPLES - values.length + n} ${(HEIGHT - 1 - (value / (most || 1)) * (HEIGHT - 3)).toFixed(1)}`,
    )
    .join("");
  const start = SAMPLES - values.length;
  return (
    <svg class="sparkline" viewBox={`0 0 ${SAMPLES - 1} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={text}>
      {values.length > 1 && (
        <>
          <path class="area" d={`${line}L${SAMPLES - 1} ${HEIGHT}L${start} ${HEIGHT}Z`} />
          <path class="line" d={line} />
        </>
      )}
    </svg>
  );
}
