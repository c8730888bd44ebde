// The whole demo by one command: the poke server, unless one runs, the page's build, and the back end. Ctrl-C stops all.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const { POKE_URL = "http://127.0.0.1:8080" } = process.env;

/** Whether something answers there; what it is will show. */
async function isThere(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

/** Starts the poke server at POKE_URL, and waits until it listens. The first time it has to be built. */
async function startPokeServer(): Promise<ChildProcess> {
  console.log(`no poke server at ${POKE_URL}: starting one (the first time it is built, which takes minutes)`);
  const { host } = new URL(POKE_URL);
  const options = ["--listen.addresses", host, "--admin.listen", "off", "--log.level", "warn"];
  const server = spawn("cargo", ["run", "--quiet", "-p", "poke-server", "--", "--dev", ...options], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  server.once("error", () => console.error("cargo isn't there: install Rust, or let POKE_URL name a server that runs"));
  while (server.exitCode === null && !(await isThere(POKE_URL))) await new Promise((tick) => setTimeout(tick, 200));
  if (server.exitCode !== null) throw new Error("the poke server didn't start");
  return server;
}

const built = spawnSync("npx", ["vite", "build", "--logLevel", "warn"], { cwd: here, stdio: "inherit" });
if (built.status !== 0) throw new Error("the page can't be built");

const children: ChildProcess[] = [];
if (!(await isThere(POKE_URL))) children.push(await startPokeServer());
console.log(`poke server: ${POKE_URL}`);
console.log("open this in two windows; Ctrl-C stops all:");
children.push(spawn(process.execPath, ["--import", "tsx", "server/main.ts"], { cwd: here, stdio: "inherit" }));

// Ctrl-C goes to all processes of this terminal. Whichever ends first, none is left.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
await Promise.race(children.map((child) => once(child, "exit")));
stop();

function stop(): void {
  for (const child of children) child.kill();
}
