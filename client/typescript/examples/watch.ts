// Prints the pokes of an interest until it ends: node watch.js [DOMAIN] [FILTER]
import { createClient } from "multicast-poke/node";

const [domain = "PLAYLIST", filter = "playlist-id"] = process.argv.slice(2);
const client = createClient(process.env.POKE_URL ?? "http://127.0.0.1:8080");

for await (const event of client.pokes({ domain, filter })) {
  switch (event.type) {
    case "live":
      console.log("live");
      break;
    case "poke":
      console.log("poke", event.data);
      break;
    case "gap":
      console.log("something was missed: reload");
      break;
    case "ended":
      console.log("ended", event.data);
      break;
    case "rejected":
      // The loop throws by itself after a final refusal.
      if (!event.isFinal) console.log("refused for now:", event.message);
      break;
  }
}
client.close();
