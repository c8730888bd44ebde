import { expect, it } from "vitest";
import { span } from "./Sparkline.js";

it("spans whole minutes: one at least, and five at most", () => {
  const spans = [0, 2, 60, 61, 290, 4000].map((seconds) => {
    const points = [0, seconds * 1000].map((at) => ({ at, value: 1 }));
    return span(points) / 1000;
  });
  expect(spans).toEqual([60, 60, 60, 120, 300, 300]);
  expect(span([]) / 1000).toBe(60);
});
