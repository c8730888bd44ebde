// Goes on where an earlier run has stopped, whatever happened meanwhile: node reconnect.js [DOMAIN] [FILTER]
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createClient } from "multicast-poke/node";

const FILE = "positions.json";
const NEW_FILE = "positions.json.new";
const [domain = "PLAYLIST", filter = "playlist-id"] = process.argv.slice(2);
const client = createClient(process.env.POKE_URL ?? "http://127.0.0.1:8080");
const positions = existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : [];

for await (const event of client.pokes({ domain, filter }, { positions })) {
  if (event.type === "live") console.log("live", event.outcome);
  if (event.type === "poke") console.log("poke", event.data);
  if (event.type === "gap") console.log("missed", event.reason, "reload in", event.reloadAfter, "ms");
  if (event.type === "reconnecting") console.log("reconnecting in", event.delay, "ms");
  // What was handled isn't asked for again. Whoever stops this while it writes leaves the file as it was.
  writeFileSync(NEW_FILE, JSON.stringify(client.positions()));
  renameSync(NEW_FILE, FILE);
}
client.close();
