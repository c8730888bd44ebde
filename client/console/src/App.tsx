import { useEffect, useState } from "preact/hooks";
import { Announcer } from "./events/Announcer.js";
import { EventLog } from "./events/EventLog.js";
import type { Journal } from "./events/journal.js";
import { DomainNames } from "./InterestFields.js";
import { KeysDialog } from "./keys/KeysDialog.js";
import type { Keyring } from "./keys/keys.js";
import { PublishPanel } from "./publish/PublishPanel.js";
import type { Publisher } from "./publish/publisher.js";
import { Bounds } from "./server/Bounds.js";
import { Domains } from "./server/Domains.js";
import { Figures } from "./server/Figures.js";
import { Header } from "./server/Header.js";
import type { Monitor } from "./server/monitor.js";
import type { ServerState } from "./server/state.js";
import { Tiles } from "./server/Tiles.js";
import { useStore } from "./store.js";
import { WatchPanel } from "./watch/WatchPanel.js";
import type { Watching } from "./watch/watching.js";

/** What the page works with. */
export interface Console {
  keyring: Keyring;
  monitor: Monitor;
  journal: Journal;
  watching: Watching;
  publisher: Publisher;
}

export function App({ keyring, monitor, journal, watching, publisher }: Console) {
  const state = useStore(monitor.state);
  const keys = useStore(keyring.keys);
  const [isEntering, setEntering] = useState(false);
  const [names, setNames] = useState({ domain: "", filter: "" });
  useEffect(() => {
    monitor.start(keys.admin);
    return () => monitor.stop();
  }, [monitor, keys.admin]);
  useEffect(() => watching.setToken(keys.listen), [watching, keys.listen]);
  useEffect(() => publisher.setKey(keys.publish), [publisher, keys.publish]);

  const known = state.kind === "known" ? state : undefined;
  const domains = known?.settings?.domains ?? [];
  return (
    <>
      <a class="skip" href="#server">
        To the server's settings
      </a>
      <Header state={state} onKeys={() => setEntering(true)} />
      <main>
        <NoState state={state} onKeys={() => setEntering(true)} />
        {known && <Tiles monitor={monitor} isStale={known.lost !== undefined} />}
        <div class="work">
          <div class="forms">
            <WatchPanel
              watching={watching}
              domains={domains}
              // What is watched is what is published to next.
              onWatch={(watched) => names.domain || names.filter || setNames(watched)}
            />
            <PublishPanel publisher={publisher} settings={known?.settings} names={names} onNames={setNames} />
          </div>
          <EventLog journal={journal} />
        </div>
        <div id="server" tabIndex={-1}>
          {known?.settings && <Domains settings={known.settings} />}
          {known && <Figures status={known.status} />}
          {known?.settings && <Bounds settings={known.settings} />}
        </div>
      </main>
      <DomainNames domains={domains} />
      <Announcer journal={journal} />
      {isEntering && <KeysDialog keyring={keyring} onClose={() => setEntering(false)} />}
    </>
  );
}

/** Why there is nothing to see of the server. */
function NoState({ state, onKeys }: { state: ServerState; onKeys: () => void }) {
  if (state.kind === "lost") return <p class="notice">The server's state isn't known: {state.why}.</p>;
  if (state.kind !== "refused") return null;
  return (
    <p class="notice">
      {state.needsKey
        ? "The server shows its state to those who administer it."
        : `The server doesn't show its state: ${state.why}.`}{" "}
      <button type="button" class="link" onClick={onKeys}>
        Enter an admin's key
      </button>
    </p>
  );
}
