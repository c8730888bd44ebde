import { expect, it } from "vitest";
import { bytes, duration, plural, short } from "./format.js";

it("writes numbers for people", () => {
  expect([0, 3.26, 42.6, 9999, 12_345, 4_200_000].map(short)).toEqual(["0", "3.3", "43", "9,999", "12.3K", "4.2M"]);
  expect([0, 1, 1023, 1536, 131_072, 34 << 20].map(bytes)).toEqual([
    "0 bytes",
    "1 byte",
    "1,023 bytes",
    "1.5 KiB",
    "128 KiB",
    "34 MiB",
  ]);
  expect([5, 119.9, 125, 700, 3700, 7500, 180_000].map(duration)).toEqual([
    "5 s",
    "119 s",
    "2 min 5 s",
    "11 min",
    "61 min",
    "2 h 5 min",
    "2 d 2 h",
  ]);
  expect([plural(1, "poke"), plural(1234, "poke")]).toEqual(["1 poke", "1,234 pokes"]);
});
