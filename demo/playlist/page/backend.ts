import * as v from "valibot";
import { type Change, ChangeSchema, type Edit, type Playlist, PlaylistSchema } from "../model.js";

/** The back end has refused an edit, and would again. */
export class RefusedEdit extends Error {}

/** Milliseconds after which an answer isn't waited for any longer. */
const PATIENCE = 8_000;

async function call(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`/api/${path}`, { ...init, signal: AbortSignal.timeout(PATIENCE) });
  if (response.ok) return response.json();
  const { message = `status ${response.status}` } = await response.json().catch(() => ({}));
  const isFinal = response.status >= 400 && response.status < 500;
  throw isFinal ? new RefusedEdit(message) : new Error(message);
}

/** Where the poke server is. */
export async function pokeUrl(): Promise<string> {
  return v.parse(v.object({ pokeUrl: v.string() }), await call("settings")).pokeUrl;
}

/** The whole playlist, as it is stored. */
export async function loadPlaylist(id: string): Promise<Playlist> {
  return v.parse(PlaylistSchema, await call(`playlists/${encodeURIComponent(id)}`, { cache: "no-store" }));
}

/** Stores an edit. It may be sent again with the same id: then it is stored once. */
export async function saveEdit(id: string, edit: Edit): Promise<Change> {
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(edit) };
  return v.parse(ChangeSchema, await call(`playlists/${encodeURIComponent(id)}/edits`, init));
}
