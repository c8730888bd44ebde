import { type FormEvent, useRef } from "react";
import type { Track } from "../model.js";

/** The form that adds a song at the end. */
export function AddSong({ add }: { add: (track: Track) => void }) {
  const title = useRef<HTMLInputElement>(null);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const words = (name: string) => String(new FormData(form).get(name)).trim();
    const track = { id: crypto.randomUUID(), title: words("title"), artist: words("artist") };
    if (!track.title || !track.artist) return;
    add(track);
    form.reset();
    title.current?.focus();
  };
  return (
    <form onSubmit={submit} className="add">
      <label>
        <span>Song</span>
        <input ref={title} name="title" required maxLength={120} autoComplete="off" />
      </label>
      <label>
        <span>Artist</span>
        <input name="artist" required maxLength={120} autoComplete="off" />
      </label>
      <button type="submit">Add</button>
    </form>
  );
}
