// What a page has to load, as Vite builds it, and what it doesn't.
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "./project.js";

const LIMIT = 32 * 1024;
let project: Project;

beforeAll(() => {
  project = Project.install({});
}, 120_000);
afterAll(() => project.remove());

/** Builds a page that holds nothing but this script, less React. */
async function bundle(script: string): Promise<{ gzipped: number; modules: string[] }> {
  project.write("main.js", script);
  const built = await build({
    root: project.folder,
    configFile: false,
    logLevel: "error",
    build: { write: false, rollupOptions: { input: project.path("main.js"), external: ["react"] } },
  });
  const { output } = built as Rolldown.RolldownOutput;
  expect(output).toHaveLength(1);
  const [{ code, moduleIds: modules }] = output;
  return { gzipped: gzipSync(code, { level: 9 }).length, modules };
}

const bytes = (count: number) => `${count.toLocaleString("en")} bytes`;

test("the SDK of a page, with stubs and protobuf, takes at most 32 KiB gzipped", async () => {
  const { gzipped, modules } = await bundle(`
    import { createClient } from "multicast-poke/web";
    const client = createClient(location.origin);
    client.listen({ domain: "PLAYLIST", filter: "1" }, { onPoke: console.log });
    client.publish({ domain: "PLAYLIST", filter: "1", data: "Updated" });
  `);
  console.log(`figure: in a browser the TypeScript SDK takes ${bytes(gzipped)} gzipped, of ${bytes(LIMIT)}`);
  expect(gzipped).toBeLessThanOrEqual(LIMIT);
  expect(modules.filter((module) => /connect-node|^node:|browser-external/.test(module))).toEqual([]);
}, 60_000);

test.each([
  ["", "PokeProvider, useMulticastPoke"],
  [" and createClient", "PokeProvider, useMulticastPoke, createClient"],
])(
  "with the hook%s as well",
  async (also, used) => {
    const { gzipped, modules } = await bundle(`
    import { PokeProvider, useMulticastPoke } from "multicast-poke/react";
    import { createClient } from "multicast-poke/web";
    window.page = [${used}];
  `);
    console.log(`figure: with the React hook${also}, less React, it takes ${bytes(gzipped)} gzipped`);
    expect(gzipped).toBeLessThanOrEqual(LIMIT);
    expect(modules.filter((module) => /connect-node|^node:|browser-external/.test(module))).toEqual([]);
  },
  60_000,
);

test("a page that takes one thing from the core doesn't load the rest", async () => {
  const { gzipped } = await bundle(`import { PokeError } from "multicast-poke"; window.page = PokeError;`);
  expect(gzipped).toBeLessThan(1024);
}, 60_000);
