import { useEffect, useSyncExternalStore } from "react";
import type { Edit } from "../model.js";
import { AddSong } from "./AddSong.js";
import { Cover } from "./Cover.js";
import type { PlaylistCopy } from "./copy.js";
import { Name } from "./Name.js";
import { Songs } from "./Songs.js";
import { State } from "./State.js";
import { useChanges } from "./useChanges.js";

/** An edit as a part of the page makes it: the id comes with sending it. */
export type Wish = Edit extends infer E ? (E extends Edit ? Omit<E, "id"> : never) : never;

/** One playlist, as everyone who has it open sees it. */
export function PlaylistPage({ copy }: { copy: PlaylistCopy }) {
  const view = useSyncExternalStore(copy.watch, copy.view);
  const { status, error } = useChanges(copy);
  const { playlist, unsaved, theirs, isUnreachable, refusal } = view;
  const edit = (wish: Wish) => copy.edit({ ...wish, id: crypto.randomUUID() });

  const name = playlist?.name;
  useEffect(() => {
    if (name) document.title = name;
  }, [name]);
  useEffect(() => {
    if (unsaved === 0) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [unsaved]);

  if (!playlist)
    return (
      <p className="notice">{refusal ?? (isUnreachable ? "The playlist can’t be reached. Trying again…" : "Loading…")}</p>
    );
  return (
    <main>
      <header>
        <Cover tracks={playlist.tracks} />
        <div>
          <p className="kind">Shared playlist</p>
          <Name name={playlist.name} rename={(name) => edit({ type: "rename", name })} />
          <p className="count">
            {playlist.tracks.length} {playlist.tracks.length === 1 ? "song" : "songs"}
          </p>
          <State status={status} error={error} unsaved={unsaved} isUnreachable={isUnreachable} />
        </div>
      </header>
      {refusal && (
        <p role="alert" className="refusal">
          Your last change was taken back: {refusal}.
        </p>
      )}
      <Songs tracks={playlist.tracks} theirs={theirs} edit={edit} />
      <AddSong add={(track) => edit({ type: "add", track, after: playlist.tracks.at(-1)?.id ?? null })} />
    </main>
  );
}
