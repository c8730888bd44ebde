import { expect, it } from "vitest";
import { reasons } from "./Figures.js";

it("refusals are told with their reasons, the most frequent first", () => {
  const refused = [
    { what: "call", reason: "not_found", count: 2 },
    { what: "call", reason: "resource_exhausted", count: 1234 },
    { what: "stream", reason: "invalid_argument", count: 1 },
  ] as const;
  expect(reasons(refused, "call")).toBe("1,236: 1,234 resource exhausted, 2 not found");
  expect(reasons(refused, "stream")).toBe("1: 1 invalid argument");
  expect(reasons(refused, "connection")).toBe("0");
});
