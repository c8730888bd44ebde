import type { PokeError } from "multicast-poke";
import type { PokeStatus } from "multicast-poke/react";
import { useSyncExternalStore } from "react";

interface Props {
  status: PokeStatus;
  error: PokeError | undefined;
  unsaved: number;
  isUnreachable: boolean;
}

/** How fresh the page is, in words. */
export function State({ status, error, unsaved, isUnreachable }: Props) {
  const isOnline = useSyncExternalStore(watchNetwork, () => navigator.onLine);
  const { state, words } = describe(isOnline, status, error);
  const waiting = unsaved === 1 ? "1 change waits to be saved." : `${unsaved} changes wait to be saved.`;
  return (
    <p role="status" className="state" data-state={state}>
      <span className="dot" aria-hidden="true" />
      <span>
        {words}
        {unsaved > 0 && (isUnreachable || !isOnline) && ` ${waiting}`}
      </span>
    </p>
  );
}

function describe(isOnline: boolean, status: PokeStatus, error: PokeError | undefined) {
  if (!isOnline) return { state: "offline", words: "Offline." };
  switch (status) {
    case "live":
      return { state: "live", words: "Live. Everyone’s changes show here at once." };
    case "reconnecting":
      return { state: "reconnecting", words: "Reconnecting… Others’ changes may be missing." };
    case "ended":
      return { state: "offline", words: "This playlist is closed." };
    case "failed":
      return { state: "offline", words: `Not live: ${error?.message ?? "refused"}. Reload to try again.` };
    default:
      return { state: "reconnecting", words: "Connecting…" };
  }
}

function watchNetwork(changed: () => void): () => void {
  window.addEventListener("online", changed);
  window.addEventListener("offline", changed);
  return () => {
    window.removeEventListener("online", changed);
    window.removeEventListener("offline", changed);
  };
}
