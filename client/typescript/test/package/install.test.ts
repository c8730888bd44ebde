// The package as npm packs it, in projects that have nothing but it: what is in it, and its types.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PACKAGE, Project, pinned } from "./project.js";

const strict = { strict: true, target: "ES2022", types: ["node"], jsx: "react-jsx" };

let project: Project;

beforeAll(() => {
  project = Project.install(pinned("typescript", "@types/node", "react", "@types/react", "react-dom", "@types/react-dom"));
}, 120_000);
afterAll(() => project.remove());

test("its source maps lead to sources that are there", () => {
  const dist = project.path("node_modules/multicast-poke/dist");
  const maps = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".map"));
  expect(maps.length).toBeGreaterThan(5);
  for (const map of maps) {
    const { sources } = JSON.parse(readFileSync(join(dist, map), "utf8")) as { sources: string[] };
    for (const source of sources) expect(existsSync(resolve(dist, dirname(map), source)), `${map}: ${source}`).toBe(true);
  }
});

test("frameworks that render on a server see that the hook is for the client", () => {
  expect(readFileSync(project.path("node_modules/multicast-poke/dist/react.js"), "utf8")).toMatch(/^"use client";/);
});

/** Compiles what is in the folder, finding modules in that way, and looking into all declarations if so. */
function compile(project: Project, folder: string, moduleResolution: string, everything = false) {
  const module = moduleResolution === "bundler" ? "esnext" : moduleResolution;
  const compilerOptions = { ...strict, module, moduleResolution, noEmit: true, skipLibCheck: !everything };
  project.write("tsconfig.json", JSON.stringify({ compilerOptions, include: [folder] }));
  project.run("tsc");
}

const USES = `
  import { encodedSize, type PokeClient, PokeError, sendPoke } from "multicast-poke";
  import { createClient } from "multicast-poke/web";
  import { createClient as createNodeClient } from "multicast-poke/node";
  import { PokeProvider, useMulticastPoke } from "multicast-poke/react";
  const client: PokeClient = createClient("/", { token: async () => "t" });
  interface Change { added: { id: string }[]; by?: string }
  export const publish = (change: Change, tracks: readonly string[]) => [
    client.publish({ domain: "PLAYLIST", filter: "1", data: change }),
    client.endInterest({ domain: "PLAYLIST", filter: "1", data: tracks }),
    sendPoke("PLAYLIST", "1", { change, tracks }, client),
    encodedSize(change),
  ];
  function Playlist() {
    const { lastPoke, error } = useMulticastPoke("PLAYLIST", "1", ({ data }) => encodedSize(data), { latest: true });
    return <p>{error instanceof PokeError ? error.code : lastPoke?.publishTime.toISOString()}</p>;
  }
  export const page = <PokeProvider client={createNodeClient("http://a")}><Playlist /></PokeProvider>;
  // @ts-expect-error: one of the two
  export const wrong = <PokeProvider client={client} url="/" />;`;

test("its types hold, however modules are resolved", () => {
  project.write("uses/page.tsx", USES);
  for (const resolution of ["bundler", "node16", "nodenext"])
    compile(project, "uses", resolution, resolution === "nodenext");
}, 180_000);

test("its types hold with React 18", () => {
  const react = { react: "18.3.1", "@types/react": "18.3.31" };
  const older = Project.install({ ...react, ...pinned("typescript", "@types/node") });
  try {
    older.write("uses/page.tsx", USES);
    compile(older, "uses", "bundler");
  } finally {
    older.remove();
  }
}, 180_000);

test("the README's programs compile", () => {
  const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
  const programs = [...readme.matchAll(/^```(tsx?)\n([\s\S]*?)^```/gm)];
  expect(programs.length).toBeGreaterThan(5);
  for (const [at, [, extension, code]] of programs.entries()) project.write(`readme/${at}.${extension}`, code ?? "");
  // Expo is a hundred packages; this is how it types its fetch.
  const types = "(input: string | URL | Request, init?: RequestInit): Promise<Response>";
  project.write("readme/expo.d.ts", `declare module "expo/fetch" { export function fetch${types}; }`);
  compile(project, "readme", "bundler");
}, 180_000);
