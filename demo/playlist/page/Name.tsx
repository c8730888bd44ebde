import { useState } from "react";

/** The playlist's name, which can be written over: Enter keeps it, Escape takes it back. A long one wraps. */
export function Name({ name, rename }: { name: string; rename: (name: string) => void }) {
  const [draft, setDraft] = useState<string>();
  const keep = () => {
    const wanted = draft?.trim();
    if (wanted && wanted !== name) rename(wanted);
    setDraft(undefined);
  };
  return (
    <h1>
      <textarea
        rows={1}
        aria-label="Playlist name"
        value={draft ?? name}
        maxLength={120}
        onChange={(event) => setDraft(event.target.value.replaceAll("\n", " "))}
        onBlur={keep}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            event.currentTarget.blur();
          }
          if (event.key === "Escape") setDraft(undefined);
        }}
      />
    </h1>
  );
}
