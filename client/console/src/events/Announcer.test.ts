import { expect, it } from "vitest";
import { summary } from "./Announcer.js";

it("announces how many of what have come", () => {
  expect(summary(["poke", "gap", "poke", "live", "live"])).toBe("2 pokes, 1 gap, 2 interests live");
});
