import { expect, it } from "vitest";
import { PAST, SAMPLES, sampled } from "./rates.js";
import type { Status } from "./state.js";

function status(uptimeSeconds: number, published: number, epoch = "e"): Status {
  const total = { published, delivered: 0, gaps: 0, publishRefused: 0, streamsRefused: 0, connectionsRefused: 0 };
  return { uptimeSeconds, epoch, total, now: { streams: 1 }, memory: { residentBytes: 9 } } as unknown as Status;
}

it("subtracts two looks", () => {
  const samples = sampled([], status(10, 100), status(12, 150), 0);
  expect(samples[0]).toMatchObject({ published: 25, streams: 1, residentBytes: 9 });
});

it("adds nothing when the server showed the same picture again", () => {
  expect(sampled([], status(10, 100), status(10, 100), 0)).toEqual([]);
});

it("begins at zero with a server that was started anew", () => {
  const [sample] = sampled([], status(1000, 100), status(1, 7, "f"), 0);
  expect(sample?.published).toBe(0);
});

it("keeps five minutes", () => {
  let samples = sampled([], undefined, status(0, 0), 0);
  for (let n = 1; n < 2 * SAMPLES; n++) samples = sampled(samples, status(n - 1, 0), status(n, 0), n);
  expect([samples.length, samples.at(-1)?.at]).toEqual([SAMPLES, 2 * SAMPLES - 1]);
  // The page was in the background meanwhile.
  expect(sampled(samples, status(1, 0), status(600, 0), 2 * SAMPLES + PAST)).toHaveLength(1);
});
