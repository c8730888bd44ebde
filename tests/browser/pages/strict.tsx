// A component under React's StrictMode, which runs effects twice, that can be taken away.
import { PokeProvider, useMulticastPoke } from "multicast-poke/react";
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const seen: unknown[] = [];
const url = new URL(location.href).searchParams.get("poke") ?? "";

function Playlist() {
  const { startPoke, stopPoke, status, lastPoke } = useMulticastPoke("PLAYLIST", "42", ({ data }) => seen.push(data));
  useEffect(() => {
    startPoke();
    return stopPoke;
  }, [startPoke, stopPoke]);
  return (
    <p>
      {status}: {JSON.stringify(lastPoke?.data) ?? "nothing"}
    </p>
  );
}

function App() {
  const [isShown, show] = useState(true);
  return (
    <PokeProvider url={url}>
      <button type="button" onClick={() => show(!isShown)}>
        {isShown ? "Hide" : "Show"}
      </button>
      {isShown && <Playlist />}
    </PokeProvider>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
Object.assign(window, { seen });
