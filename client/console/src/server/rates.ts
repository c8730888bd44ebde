import type { Status } from "./state.js";

/** How much of the past is drawn, in milliseconds. */
export const PAST = 300_000;
/** Most samples of that time, at one in two seconds. */
export const SAMPLES = 150;

/** One look at the server: what there is, and what happened a second since the look before. */
export interface Sample {
  /** Milliseconds of the page's clock. */
  at: number;
  streams: number;
  published: number;
  delivered: number;
  gaps: number;
  refused: number;
  residentBytes: number;
}

/** The samples after one more look, the oldest first. */
export function sampled(samples: Sample[], before: Status | undefined, now: Status, at: number): Sample[] {
  const seconds = before && before.epoch === now.epoch ? now.uptimeSeconds - before.uptimeSeconds : 0;
  // The same picture again, or a server that has begun anew: nothing can be said of the time between.
  if (before && before.epoch === now.epoch && seconds <= 0) return samples;
  const rate = (of: (status: Status) => number) => (before && seconds > 0 ? Math.max(0, of(now) - of(before)) / seconds : 0);
  const sample: Sample = {
    at,
    streams: now.now.streams,
    published: rate((s) => s.total.published),
    delivered: rate((s) => s.total.delivered),
    gaps: rate((s) => s.total.gaps),
    refused: rate((s) => s.total.publishRefused + s.total.streamsRefused + s.total.connectionsRefused),
    residentBytes: now.memory.residentBytes,
  };
  return [...samples.filter(({ at: then }) => then > at - PAST), sample].slice(-SAMPLES);
}
