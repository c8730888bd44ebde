import { createClient } from "multicast-poke/web";
import { render } from "preact";
import { App } from "./App.js";
import { Journal } from "./events/journal.js";
import { Keyring } from "./keys/keys.js";
import { Publisher } from "./publish/publisher.js";
import { Monitor } from "./server/monitor.js";
import "./style.css";
import { Watching } from "./watch/watching.js";

const connect = (token: string) => createClient(location.origin, token ? { token } : {});
const journal = new Journal();
const root = document.getElementById("root");
if (root) {
  render(
    <App
      keyring={new Keyring()}
      monitor={new Monitor()}
      journal={journal}
      watching={new Watching(journal, connect)}
      publisher={new Publisher(connect)}
    />,
    root,
  );
}
