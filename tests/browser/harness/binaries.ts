import { existsSync } from "node:fs";
import { join } from "node:path";

/** The path of a binary of this repository. `POKE_BIN_DIR` is the folder that holds them. */
export function binary(name: "poke-server" | "poke"): string {
  const folder = process.env.POKE_BIN_DIR;
  if (!folder) throw new Error("POKE_BIN_DIR isn't set: build the server and name the folder, such as target/debug");
  const path = join(folder, name);
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  return path;
}
