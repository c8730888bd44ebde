import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { createClient } from "multicast-poke/node";
import { Announcer } from "./announcer.js";
import { app } from "./app.js";
import { Store } from "./store.js";

const { PORT = "3000", POKE_URL = "http://127.0.0.1:8080", PLAYLIST_FILE = "data/playlists.json" } = process.env;
const page = fileURLToPath(new URL("../dist", import.meta.url));

const store = new Store(PLAYLIST_FILE);
const announcer = new Announcer(createClient(POKE_URL));
// The last change of an earlier process may be stored and not published.
for (const { playlistId, change } of store.newest()) announcer.announce(playlistId, change);

const server = serve({
  fetch: app(store, announcer, { pokeUrl: POKE_URL }, relative(process.cwd(), page)).fetch,
  hostname: "127.0.0.1",
  port: Number(PORT),
});
await once(server, "listening").catch((error) => {
  console.error(`can't listen on port ${PORT}: ${error.message}. PORT chooses another`);
  process.exit(1);
});
console.log(`the playlist is at http://127.0.0.1:${(server.address() as AddressInfo).port}`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    announcer.stop();
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
}
