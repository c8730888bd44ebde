import "@fontsource-variable/figtree";
import "./style.css";
import { PokeProvider } from "multicast-poke/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { pokeUrl } from "./backend.js";
import { PlaylistCopy } from "./copy.js";
import { PlaylistPage } from "./PlaylistPage.js";
import { untilReached } from "./retry.js";

const root = createRoot(document.getElementById("root") as HTMLElement);
root.render(<p className="notice">Connecting…</p>);

const url = await untilReached(
  pokeUrl,
  () => false,
  () => {},
);
const copy = new PlaylistCopy("sunday-evening");
root.render(
  <StrictMode>
    <PokeProvider url={url}>
      <PlaylistPage copy={copy} />
    </PokeProvider>
  </StrictMode>,
);
