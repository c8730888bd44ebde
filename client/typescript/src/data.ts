import type { Data } from "./types.js";

/**
 * How many bytes `data` adds to a poke. Domain, filter and data together may take 131,072; the two names cost two bytes
 * each beside their own.
 *
 * @throws PokeError INVALID_ARGUMENT, as a publish of the same data does.
 */
export function encodedSize(_data: Data): number {
  throw new Error("not yet");
}
