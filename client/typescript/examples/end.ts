// Tells everyone who listens that there is no more: node end.js [DOMAIN] [FILTER] [TEXT]
import { createClient } from "multicast-poke/node";

const [domain = "PLAYLIST", filter = "playlist-id", data] = process.argv.slice(2);
const client = createClient(process.env.POKE_URL ?? "http://127.0.0.1:8080");

const { position } = await client.endInterest({ domain, filter, data });
console.log("ended", `${position.epoch}:${position.sequence}`);
client.close();
