import { useState } from "react";

/** The playlist's name, which can be written over: Enter keeps it, Escape takes it back. */
export function Name({ name, rename }: { name: string; rename: (name: string) => void }) {
  const [draft, setDraft] = useState<string>();
  const keep = () => {
    const wanted = draft?.trim();
    if (wanted && wanted !== name) rename(wanted);
    setDraft(undefined);
  };
  return (
    <h1>
      <input
        aria-label="Playlist name"
        value={draft ?? name}
        maxLength={120}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={keep}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
          if (event.key === "Escape") setDraft(undefined);
        }}
      />
    </h1>
  );
}
