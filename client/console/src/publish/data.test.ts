import { expect, it } from "vitest";
import { typed } from "./data.js";

it.each([
  ["", undefined],
  ["  ", undefined],
  ["Updated", "Updated"],
  ['"Updated"', "Updated"],
  ["null", null],
  ["7", 7],
  ['{"a":[1]}', { a: [1] }],
  ["{not json", "{not json"],
])("%o is read as the command reads it", (text, data) => {
  expect(typed(text, "auto")).toMatchObject({ data });
});

it("is text if it is to be text, however it looks, and an empty one is no undefined", () => {
  expect(typed("7", "text")).toMatchObject({ data: "7" });
  expect(typed("", "text")).toMatchObject({ data: "" });
});

it("is refused if it must be JSON and isn't", () => {
  expect(typed("Updated", "json")).toMatchObject({ error: expect.stringMatching(/^This is not valid JSON: .+\.$/) });
});

it("says that text looks like JSON that went wrong, unless it is to be text", () => {
  for (const text of ['{"oops": ', "{a:1}", '  ["a",]', '"Updated']) {
    expect(typed(text, "auto"), text).toMatchObject({ data: text, says: "text", fault: expect.stringMatching(/.+/) });
    expect(typed(text, "text"), text).not.toHaveProperty("fault");
  }
  for (const text of ["Updated", "two words", "1,5", "True"]) expect(typed(text, "auto"), text).not.toHaveProperty("fault");
});
