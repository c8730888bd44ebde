import { short } from "../format.js";

const HEIGHT = 30;
/** A page that has just been opened draws one minute, and more as it comes. */
const FEWEST = 30;

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
  const text = `${name} in the last minutes: now ${write(values.at(-1) ?? 0)}, at most ${write(most)}, at least ${write(
    Math.min(...values, most),
  )}`;
  const width = Math.max(values.length, FEWEST) - 1;
  const start = width + 1 - values.length;
  const line = values
    .map(
      (value, n) => `${n === 0 ? "M" : "L"}${start + n} ${(HEIGHT - 1 - (value / (most || 1)) * (HEIGHT - 3)).toFixed(1)}`,
    )
    .join("");
  return (
    <svg
      class="sparkline"
      data-flat={most === 0}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={text}
    >
      {values.length > 1 && (
        <>
          <path class="fill" d={`${line}L${width} ${HEIGHT}L${start} ${HEIGHT}Z`} />
          <path class="stroke" d={line} />
        </>
      )}
    </svg>
  );
}
