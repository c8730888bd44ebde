import { createClient } from "multicast-poke/web";
import { render } from "preact";
import { App } from "./App.js";
import { Journal } from "./events/journal.js";
import { Keyring } from "./keys/keys.js";
import { Publisher } from "./publish/publisher.js";
import { Monitor } from "./server/monitor.js";
import "./style.css";
import { keepWatched } from "./watch/kept.js";
import { Watching } from "./watch/watching.js";

const connect = (token: string) => createClient(location.origin, token ? { token } : {});
const journal = new Journal();
const keyring = new Keyring();
const watching = new Watching(journal, connect);
watching.setToken(keyring.keys.value.listen);
keepWatched(watching);
const root = document.getElementById("root");
if (root) {
  render(
    <App
      keyring={keyring}
      monitor={new Monitor()}
      journal={journal}
      watching={watching}
      publisher={new Publisher(connect)}
    />,
    root,
  );
}
