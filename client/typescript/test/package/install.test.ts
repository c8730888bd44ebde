// The package as npm packs it, in projects that have nothing but it.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
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

/** Compiles what is in the folder, finding modules in that way, and looking into all declarations if so. */
function compile(project: Project, folder: string, moduleResolution: string, everything = false) {
  const module = moduleResolution === "bundler" ? "esnext" : moduleResolution;
  const compilerOptions = { ...strict, module, moduleResolution, noEmit: true, skipLibCheck: !everything };
  project.write("tsconfig.json", JSON.stringify({ compilerOptions, include: [folder] }));
  project.run("tsc");
}

const USES = `
  import { encodedSize, type PokeClient, PokeError } from "multicast-poke";
  import { createClient } from "multicast-poke/web";
  import { createClient as createNodeClient } from "multicast-poke/node";
  import { PokeProvider, useMulticastPoke } from "multicast-poke/react";
  const client: PokeClient = createClient("/", { token: async () => "t" });
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

describe("the examples", () => {
  let server: Server;
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    project.copy("examples");
    const options = { ...strict, module: "nodenext", outDir: "built", rootDir: "examples" };
    project.write("tsconfig.json", JSON.stringify({ compilerOptions: options, include: ["examples"] }));
    project.run("tsc");
    server = await Server.start({ settings: { "stream.reconnect_spread": '"100ms"' } });
  }, 120_000);
  afterEach(() => {
    for (const process of running.splice(0)) process.kill();
  });
  afterAll(() => server.stop());

  /** Runs an example; `lines` is what it has printed, `code` comes when it has ended. */
  function run(name: string, ...parameters: string[]) {
    const lines: string[] = [];
    const process_ = spawn(process.execPath, [`built/${name}.js`, ...parameters], {
      cwd: project.folder,
      env: { ...process.env, POKE_URL: server.url },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.push(process_);
    for (const output of [process_.stdout, process_.stderr]) createInterface(output).on("line", (line) => lines.push(line));
    const code = new Promise((ended) => process_.once("close", ended));
    const prints = (line: RegExp) =>
      vi.waitFor(() => expect(lines).toContainEqual(expect.stringMatching(line)), { timeout: 20_000, interval: 25 });
    return { lines, code, prints, stop: () => process_.kill() };
  }

  test("watch, publish and end", async () => {
    const watch = run("watch", "PLAYLIST", "1");
    await watch.prints(/^live$/);
    const publish = run("publish", "PLAYLIST", "1", "Updated");
    expect(await publish.code).toBe(0);
    expect(publish.lines).toEqual([expect.stringMatching(/^published [0-9a-f]+:\d+ receivers 1$/)]);
    await watch.prints(/^poke Updated$/);
    const end = run("end", "PLAYLIST", "1", "bye");
    expect(await end.code).toBe(0);
    expect(await watch.code).toBe(0);
    expect(watch.lines).toEqual(["live", "poke Updated", "ended bye"]);
  });

  test("reconnect goes on where it stopped, and through a server that restarts", async () => {
    const first = run("reconnect", "PLAYLIST", "2");
    await first.prints(/^live fresh$/);
    await server.publish("PLAYLIST", "2", "one");
    await first.prints(/^poke one$/);
    // Written after the poke is printed.
    await vi.waitFor(() => expect(readFileSync(project.path("positions.json"), "utf8")).toContain('"filter":"2"'));
    first.stop();
    await first.code;
    await server.publish("PLAYLIST", "2", "two");
    const second = run("reconnect", "PLAYLIST", "2");
    await second.prints(/^poke two$/);
    expect(second.lines).toEqual(["live recovered", "poke two"]);

    await server.kill();
    await second.prints(/^reconnecting in /);
    await server.restart();
    await second.prints(/^live gap$/);
    await second.prints(/^missed epoch_changed reload in /);
    await server.publish("PLAYLIST", "2", "three");
    await second.prints(/^poke three$/);
  });
});
