import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import { applyChange, type Change, ChangeSchema, type Edit, MAX_TRACKS, type Playlist, PlaylistSchema } from "../model.js";

/** Changes of each playlist that are kept, so that the repetition of an edit is noticed. */
const KEPT_CHANGES = 64;

const ShelfSchema = v.object({ playlist: PlaylistSchema, changes: v.array(ChangeSchema) });
type Shelf = v.InferOutput<typeof ShelfSchema>;

const SONGS = [
  ["So What", "Miles Davis"],
  ["Take Five", "The Dave Brubeck Quartet"],
  ["Feeling Good", "Nina Simone"],
  ["Harvest Moon", "Neil Young"],
  ["Golden Brown", "The Stranglers"],
  ["Corcovado", "Stan Getz & Astrud Gilberto"],
];

/** What a new file holds. */
const FIRST: Shelf = {
  playlist: {
    id: "sunday-evening",
    name: "Sunday evening",
    version: 0,
    tracks: SONGS.map(([title = "", artist = ""], index) => ({ id: `song-${index + 1}`, title, artist })),
  },
  changes: [],
};

/** The playlist can't take an edit. */
export class Refused extends Error {}

/** The playlists, in one file of JSON. It suits a demo: each edit writes all of it. */
export class Store {
  readonly #file: string;
  readonly #shelves: Map<string, Shelf>;

  /** @param file is made with the first edit if it isn't there. */
  constructor(file: string) {
    this.#file = file;
    const shelves = existsSync(file) ? v.parse(v.array(ShelfSchema), JSON.parse(readFileSync(file, "utf8"))) : [FIRST];
    this.#shelves = new Map(shelves.map((shelf) => [shelf.playlist.id, shelf]));
  }

  playlist(id: string): Playlist | undefined {
    return this.#shelves.get(id)?.playlist;
  }

  /** The last change of each playlist that has had one. */
  newest(): { playlistId: string; change: Change }[] {
    const newest = ({ playlist, changes }: Shelf) =>
      changes.slice(-1).map((change) => ({ playlistId: playlist.id, change }));
    return [...this.#shelves.values()].flatMap(newest);
  }

  /**
   * Stores an edit as the next version. The order in which edits come here is the order for everyone. An edit that is
   * stored already, since its sender didn't get the answer, gives the same change again.
   */
  store(id: string, edit: Edit): { change: Change; isNew: boolean } {
    const shelf = this.#shelves.get(id);
    if (!shelf) throw new Refused("there is no such playlist");
    const earlier = shelf.changes.find((change) => change.edit.id === edit.id);
    if (earlier) return { change: earlier, isNew: false };
    const change = { version: shelf.playlist.version + 1, edit };
    const next = {
      playlist: applyChange(shelf.playlist, change),
      changes: [...shelf.changes, change].slice(-KEPT_CHANGES),
    };
    if (next.playlist.tracks.length > MAX_TRACKS) throw new Refused(`a playlist has at most ${MAX_TRACKS} songs`);
    this.#write(new Map(this.#shelves).set(id, next));
    this.#shelves.set(id, next);
    return { change, isNew: true };
  }

  /** The file is the old one or the new one, whenever the power goes. */
  #write(shelves: Map<string, Shelf>): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    const draft = `${this.#file}.new`;
    const descriptor = openSync(draft, "w");
    try {
      writeFileSync(descriptor, JSON.stringify([...shelves.values()]));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(draft, this.#file);
  }
}
