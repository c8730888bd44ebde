// The examples and the Lambda, compiled in a project that has nothing but the package, against the real server.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { Lambda } from "./lambda.js";
import { Program } from "./program.js";
import { PACKAGE, Project, pinned } from "./project.js";
import { Wire } from "./wire.js";

/** A key, as `poke-server key new playlist-service` makes them. */
const KEY = "poke_lluoomQ9dkoOemknEI6_MXqZanvz7fZZMh11THVYku8";
const HASH = "sha256:761ab8109b67ed9c971a6767a78875e21d2950b7a2181d2232b4d59bbaa3f9ec";

let project: Project;
let server: Server;
let wire: Wire;
const running: Program[] = [];

beforeAll(async () => {
  project = Project.install(pinned("typescript", "@types/node"));
  project.copy("examples");
  project.copy("test/package/runtime.js", "built/runtime.js");
  const compilerOptions = {
    strict: true,
    target: "ES2022",
    module: "nodenext",
    types: ["node"],
    outDir: "built",
    rootDir: "examples",
  };
  for (const [title, code] of readmePrograms()) project.write(`examples/readme/${title}.ts`, code);
  project.write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["examples"] }));
  project.run("tsc");
  server = await Server.start({
    settings: {
      "stream.reconnect_spread": '"100ms"',
      "keys.playlist-service": JSON.stringify(HASH),
      "domains.GUARDED.publishers": '[{ key = "playlist-service" }]',
      "domains.GUARDED.subscribers": '"open"',
    },
  });
  wire = await Wire.to(server.port);
}, 180_000);
afterEach(() => {
  for (const program of running.splice(0)) program.stop();
  wire.mend();
});
afterAll(async () => {
  wire?.close();
  project?.remove();
  await server?.stop();
});

/** The README's first program below each of these titles, for a domain that the server refuses. */
function readmePrograms(): [string, string][] {
  const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
  return ["Without React", "In Node.js"].map((title) => {
    const code = new RegExp(`^## ${title}\n[^]*?^\`\`\`ts\n([^]*?)^\`\`\``, "m").exec(readme)?.[1] ?? "";
    expect(code).toContain('"PLAYLIST"');
    const edited = code
      .replace('"http://127.0.0.1:8080"', "process.env.POKE_URL!")
      .replace('"PLAYLIST"', '"no such domain"');
    return [title.replaceAll(/\W/g, ""), edited];
  });
}

function run(name: string, ...parameters: string[]): Program {
  const program = new Program(project.folder, `built/${name}.js`, parameters, { POKE_URL: server.url });
  running.push(program);
  return program;
}

function lambda(url: string, token = KEY): Lambda {
  const program = new Program(project.folder, "built/runtime.js", ["./lambda/handler.js"], {
    POKE_URL: url,
    POKE_TOKEN: token,
  });
  running.push(program);
  return new Lambda(program);
}

/** Listens to the playlist that the Lambda pokes. */
async function watch(playlist: string): Promise<Program> {
  const watcher = run("watch", "PLAYLIST", playlist);
  await watcher.prints(/^live$/);
  return watcher;
}

test("watch, publish and end", async () => {
  const watcher = await watch("1");
  const publish = run("publish", "PLAYLIST", "1", "Updated");
  expect(await publish.code).toBe(0);
  expect(publish.lines).toEqual([expect.stringMatching(/^published [0-9a-f]+:\d+ receivers 1$/)]);
  await watcher.prints(/^poke Updated$/);
  const end = run("end", "PLAYLIST", "1", "bye");
  expect(await end.code).toBe(0);
  expect(await watcher.code).toBe(0);
  expect(watcher.lines).toEqual(["live", "poke Updated", "ended bye"]);
});

for (const name of ["watch", "reconnect", "readme/InNodejs"]) {
  test(`${name} fails with the reason when the server refuses the domain`, async () => {
    const program = run(name, "no such domain");
    expect(await program.code).toBe(1);
    expect(program.lines.join("\n")).toMatch(/"no such domain" ".*" is refused: [\s\S]*INVALID_DOMAIN/);
  });
}

test("the README's callbacks print why the server refuses the domain", async () => {
  const program = run("readme/WithoutReact");
  await program.prints(/^INVALID_ARGUMENT INVALID_DOMAIN the interest "no such domain" "playlist-id" is refused: /);
});

test("reconnect goes on where it stopped, and through a server that restarts", async () => {
  const first = run("reconnect", "PLAYLIST", "2");
  await first.prints(/^live fresh$/);
  const { position } = await server.publish("PLAYLIST", "2", "one");
  await first.prints(/^poke one$/);
  await vi.waitFor(() => {
    const [saved] = JSON.parse(readFileSync(project.path("positions.json"), "utf8"));
    expect(saved).toEqual({ domain: "PLAYLIST", filter: "2", position });
  });
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

const change = (playlistId: string) => ({ playlistId, added: ["track-7"], removed: [] });

test("a Lambda pokes, and answers with the position", async () => {
  const watcher = await watch("3");
  const warm = lambda(server.url);
  const answer = await warm.invoke(change("3"));
  expect(answer).toMatchObject({
    position: { sequence: expect.stringMatching(/^\d+$/) },
    localReceiverCount: 1,
    duplicate: false,
  });
  await watcher.prints(/^poke \{ added: \[ 'track-7' \], removed: \[\] \}$/);
});

test("an invocation that Lambda repeats pokes once", async () => {
  const watcher = await watch("7");
  const warm = lambda(server.url);
  const id = "8f5f0b52-6f5c-4c6b-9d7c-0d3a6f7b2f11";
  const first = await warm.invoke(change("7"), 10_000, id);
  const again = await lambda(server.url).invoke(change("7"), 10_000, id);
  expect(again).toMatchObject({ ...(first as object), localReceiverCount: expect.anything(), duplicate: true });
  await server.publish("PLAYLIST", "7", "next");
  await watcher.prints(/^poke next$/);
  expect(watcher.lines).toHaveLength(3);
});

for (const [what, damage] of [
  ["was closed", () => wire.cut()],
  ["went dead without a word", () => wire.silence()],
] as const) {
  test(`a connection that ${what} while the Lambda was frozen is replaced, and the poke comes once`, async () => {
    const watcher = await watch("4");
    const frozen = lambda(wire.url);
    await frozen.invoke(change("4"));
    frozen.freeze();
    damage();
    frozen.thaw();
    const answer = await frozen.invoke(change("4"), 6_000);
    expect(answer).toMatchObject({ localReceiverCount: 1 });
    expect(frozen.took).toBeLessThan(5_500);
    // A third one behind it: if the second had come twice, that would stand between.
    await server.publish("PLAYLIST", "4", "third");
    await watcher.prints(/^poke third$/);
    expect(watcher.lines.filter((line) => line.startsWith("poke {"))).toHaveLength(2);
  });
}

test("a Lambda that can't reach the service fails before its time is over, and says why", async () => {
  const lost = lambda(wire.url);
  wire.refuse();
  const failed = await lost.invoke(change("5"), 2_500);
  expect(failed).toMatchObject({ name: "PokeError", code: "UNAVAILABLE" });
  expect(lost.took).toBeLessThan(2_400);
});

test("a Lambda with a wrong key fails at once", async () => {
  const wrong = lambda(server.url, "poke_wrong");
  expect(await wrong.invoke(change("6"))).toMatchObject({
    name: "PokeError",
    code: "UNAUTHENTICATED",
    reason: "INVALID_CREDENTIALS",
  });
  expect(wrong.took).toBeLessThan(5_000);
});
