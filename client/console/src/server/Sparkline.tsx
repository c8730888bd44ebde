import { duration, short } from "../format.js";
import { PAST } from "./rates.js";

const [WIDTH, HEIGHT] = [100, 30];
/** Milliseconds that a page draws that has just been opened: it draws more as more has passed. */
const SHORTEST = 60_000;

/** A number at a time, in milliseconds. */
export interface Point {
  at: number;
  value: number;
}

/** How much time a drawing spans, in milliseconds: whole minutes. */
export function span(points: readonly Point[]): number {
  const passed = (points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0);
  return Math.min(Math.max(Math.ceil(passed / SHORTEST) * SHORTEST, SHORTEST), PAST);
}

/** A number over the last minutes, drawn small above its scale of time. Its text alternative has the figures that matter. */
export function Sparkline({
  name,
  points,
  write = short,
}: {
  name: string;
  points: readonly Point[];
  write?: (n: number) => string;
}) {
  const values = points.map(({ value }) => value);
  const most = Math.max(...values, 0);
  const past = duration(span(points) / 1000);
  const text = `${name} in the last ${past}: now ${write(values.at(-1) ?? 0)}, at most ${write(most)}, at least ${write(
    Math.min(...values, most),
  )}`;
  const end = points.at(-1)?.at ?? 0;
  const x = (at: number) => (WIDTH * (1 - (end - at) / span(points))).toFixed(2);
  const y = (value: number) => (HEIGHT - 1 - (value / (most || 1)) * (HEIGHT - 3)).toFixed(1);
  const line = points.map(({ at, value }, n) => `${n === 0 ? "M" : "L"}${x(at)} ${y(value)}`).join("");
  return (
    <>
      <svg
        class="sparkline"
        data-flat={most === 0}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={text}
      >
        {points.length > 1 && (
          <>
            <path class="fill" d={`${line}L${WIDTH} ${HEIGHT}L${x(points[0]?.at ?? end)} ${HEIGHT}Z`} />
            <path class="stroke" d={line} />
          </>
        )}
      </svg>
      <p class="scale" aria-hidden="true">
        <span>{past} ago</span>
        <span>now</span>
      </p>
    </>
  );
}
