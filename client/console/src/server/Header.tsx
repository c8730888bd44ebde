import { duration } from "../format.js";
import type { ServerState } from "./state.js";

/** Which server this is, and whether it is well. */
export function Header({ state, onKeys }: { state: ServerState; onKeys: () => void }) {
  const { tone, text } = health(state);
  const status = state.kind === "known" ? state.status : undefined;
  return (
    <header class="top">
      <h1>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <circle cx="9" cy="16" r="4" />
          <path d="M17 9a10 10 0 0 1 0 14M22 4a17 17 0 0 1 0 24" />
        </svg>
        Multicast Poke
      </h1>
      <p class="pill" data-tone={tone} role="status">
        {text}
      </p>
      {status && (
        <p class="muted about">
          {status.version}
          {status.mode === "development" && ", development mode"}, up {duration(status.uptimeSeconds)}
        </p>
      )}
      {status?.mode !== "development" && (
        <button type="button" onClick={onKeys}>
          Keys…
        </button>
      )}
    </header>
  );
}

function health(state: ServerState): { tone: "good" | "warn" | "bad" | "none"; text: string } {
  switch (state.kind) {
    case "asking":
      return { tone: "none", text: "Asking the server" };
    case "refused":
      return { tone: "none", text: "State not shown" };
    case "lost":
      return { tone: "bad", text: "Out of reach" };
    case "known": {
      const { health, isReady, memory } = state.status;
      if (state.lost) return { tone: "bad", text: `Out of reach since ${state.lost.since.toLocaleTimeString("en-GB")}` };
      if (health === "draining") return { tone: "warn", text: "Draining: clients move away" };
      if (!isReady) return { tone: "bad", text: "Not ready: nothing can be stored" };
      if (memory.refuses.length > 0) return { tone: "warn", text: "Short of memory: refuses what is new" };
      return { tone: "good", text: "Serving" };
    }
  }
}
