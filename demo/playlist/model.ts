import * as v from "valibot";

// What a playlist is, and what happens to it. The back end and the page share this file, so that an edit has one meaning.

/** Songs in one playlist. */
export const MAX_TRACKS = 200;

// Half a surrogate pair has no form in UTF-8: it could be stored, and never be published.
const Text = v.pipe(v.string(), v.regex(/^\P{Surrogate}*$/u));
const Id = v.pipe(Text, v.minLength(1), v.maxLength(64));
const Words = v.pipe(Text, v.trim(), v.minLength(1), v.maxLength(120));

const TrackSchema = v.object({ id: Id, title: Words, artist: Words });

/** One wish of one editor. Songs are named by their ids, never by their places: these change under other people's hands. */
export const EditSchema = v.variant("type", [
  /** Behind the song `after`, or first. */
  v.object({ type: v.literal("add"), id: Id, track: TrackSchema, after: v.nullable(Id) }),
  v.object({ type: v.literal("remove"), id: Id, trackId: Id }),
  v.object({ type: v.literal("move"), id: Id, trackId: Id, after: v.nullable(Id) }),
  v.object({ type: v.literal("rename"), id: Id, name: Words }),
]);

/** An edit that is stored, and the version that it makes. This is what a poke carries. */
export const ChangeSchema = v.object({ version: v.pipe(v.number(), v.integer(), v.minValue(1)), edit: EditSchema });

export const PlaylistSchema = v.object({
  id: Id,
  name: Words,
  /** How many edits it has had. */
  version: v.pipe(v.number(), v.integer(), v.minValue(0)),
  tracks: v.array(TrackSchema),
});

export type Track = v.InferOutput<typeof TrackSchema>;
export type Edit = v.InferOutput<typeof EditSchema>;
export type Change = v.InferOutput<typeof ChangeSchema>;
export type Playlist = v.InferOutput<typeof PlaylistSchema>;

/**
 * The songs and the name after an edit. An edit that makes no sense any more, since somebody else was faster, changes what
 * it still can. To apply one twice is as good as once.
 */
export function applyEdit(playlist: Playlist, edit: Edit): Playlist {
  const { tracks } = playlist;
  switch (edit.type) {
    case "add":
      return tracks.some(({ id }) => id === edit.track.id)
        ? playlist
        : { ...playlist, tracks: placed(tracks, edit.track, edit.after) };
    case "remove":
      return { ...playlist, tracks: tracks.filter(({ id }) => id !== edit.trackId) };
    case "move": {
      const track = tracks.find(({ id }) => id === edit.trackId);
      if (!track || edit.after === edit.trackId) return playlist;
      return {
        ...playlist,
        tracks: placed(
          tracks.filter((other) => other !== track),
          track,
          edit.after,
        ),
      };
    }
    case "rename":
      return { ...playlist, name: edit.name };
  }
}

/** The next version of a playlist. */
export function applyChange(playlist: Playlist, { version, edit }: Change): Playlist {
  return { ...applyEdit(playlist, edit), version };
}

/** Behind `after`; last, if that has gone. */
function placed(tracks: Track[], track: Track, after: string | null): Track[] {
  const before = after === null ? 0 : tracks.findIndex(({ id }) => id === after) + 1 || tracks.length;
  return [...tracks.slice(0, before), track, ...tracks.slice(before)];
}
