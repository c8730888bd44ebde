import type { Data, Json } from "multicast-poke";

/** How what is typed becomes data. */
export type Reading = "auto" | "text" | "json";

/** What typed text is as data, or why it is none. `fault`: it is sent as text, but looks like JSON that went wrong. */
export type Typed = { data: Data; says: string; fault?: string } | { error: string };

/** As `poke publish` reads it: JSON if it is valid JSON, else text. Nothing typed is undefined, unless it is to be text. */
export function typed(text: string, reading: Reading): Typed {
  if (reading === "text") return { data: text, says: "text" };
  if (text.trim() === "") return { data: undefined, says: "no data (undefined)" };
  let data: Json;
  try {
    data = JSON.parse(text) as Json;
  } catch (error) {
    // In the words of the browser, which say where.
    const fault = (error as SyntaxError).message;
    if (reading === "json") return { error: `This is not valid JSON: ${fault}.` };
    return { data: text, says: "text", ...(/^\s*[[{"]/.test(text) && { fault }) };
  }
  return { data, says: kind(data) };
}

function kind(data: Json): string {
  if (data === null) return "null";
  if (Array.isArray(data)) return "a list";
  return { string: "text", number: "a number", boolean: "a truth value", object: "an object" }[typeof data as string] ?? "";
}
