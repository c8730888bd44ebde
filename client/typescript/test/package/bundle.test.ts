// What a page has to load, and what it doesn't.
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "./project.js";

const LIMIT = 32 * 1024;
let project: Project;

beforeAll(() => {
  project = Project.install({});
}, 120_000);
afterAll(() => project.remove());

async function bundle(contents: string, external: string[] = []): Promise<{ gzipped: number; inputs: Metafile["inputs"] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: project.folder },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    external,
    write: false,
    metafile: true,
  });
  return { gzipped: gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length, inputs: metafile.inputs };
}

test("the SDK of a page, with stubs and protobuf, takes at most 32 KiB gzipped", async () => {
  const { gzipped, inputs } = await bundle(`
    import { createClient } from "multicast-poke/web";
    const client = createClient(location.origin);
    client.listen({ domain: "PLAYLIST", filter: "1" }, { onPoke: console.log });
    client.publish({ domain: "PLAYLIST", filter: "1", data: "Updated" });
  `);
  console.log(
    `figure: in a browser the TypeScript SDK takes ${gzipped.toLocaleString("en")} bytes gzipped, of ${LIMIT.toLocaleString("en")}`,
  );
  expect(gzipped).toBeLessThanOrEqual(LIMIT);
  expect(Object.keys(inputs).filter((input) => /connect-node|^node:/.test(input))).toEqual([]);
});

test("with the hook as well", async () => {
  const { gzipped } = await bundle(
    `export { PokeProvider, useMulticastPoke } from "multicast-poke/react"; export { sendPoke } from "multicast-poke";`,
    ["react"],
  );
  console.log(`figure: with the hook, without React, ${gzipped.toLocaleString("en")} bytes gzipped`);
  expect(gzipped).toBeLessThanOrEqual(LIMIT);
});

test("a page that takes one thing from the core doesn't load the rest", async () => {
  const { gzipped } = await bundle(`import { PokeError } from "multicast-poke"; console.log(PokeError);`);
  expect(gzipped).toBeLessThan(1024);
});
