// Sends one poke: node publish.js [DOMAIN] [FILTER] [TEXT]
import { sendPoke } from "multicast-poke";
import { createClient } from "multicast-poke/node";

const [domain = "PLAYLIST", filter = "playlist-id", text] = process.argv.slice(2);
const client = createClient(process.env.POKE_URL ?? "http://127.0.0.1:8080");

const { position, localReceiverCount } = await sendPoke(domain, filter, text, client);
console.log("published", `${position.epoch}:${position.sequence}`, "receivers", localReceiverCount);
client.close();
