import { applyChange, applyEdit, type Change, type Edit, type Playlist } from "../model.js";
import { loadPlaylist, RefusedEdit, saveEdit } from "./backend.js";
import { untilReached } from "./retry.js";

/** What the page shows. */
export interface View {
  /** What is stored as far as this page knows, with its own edits on top. Absent before the first load. */
  playlist: Playlist | undefined;
  /** Edits that aren't stored yet. */
  unsaved: number;
  /** The newest change by somebody else. */
  theirs: Change | undefined;
  /** The back end doesn't answer; it is asked again. */
  isUnreachable: boolean;
  /** Why an edit was taken back, or the playlist can't be shown. */
  refusal: string | undefined;
}

/**
 * This page's copy of a playlist.
 *
 * The order in which edits are stored is the order for everyone. The copy is the newest version that is known, and on
 * top of it the page's own edits that aren't part of it yet. A change that makes the next version is applied; an older
 * one is known; one further ahead says that something was missed, and the whole is loaded again.
 */
export class PlaylistCopy {
  readonly id: string;
  #stored: Playlist | undefined;
  /** This page's edits, with their versions where these are known, until they are part of what is stored. */
  #own: { edit: Edit; version?: number }[] = [];
  #view: View = { playlist: undefined, unsaved: 0, theirs: undefined, isUnreachable: false, refusal: undefined };
  #isLoading = false;
  #isStale = false;
  #isSaving = false;
  readonly #watchers = new Set<() => void>();

  constructor(id: string) {
    this.id = id;
  }

  view = (): View => this.#view;

  watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  /** Takes a change, from a poke or as the answer to an edit. */
  receive(change: Change): void {
    const own = this.#own.find(({ edit }) => edit.id === change.edit.id);
    if (own) own.version = change.version;
    const next = (this.#stored?.version ?? Number.NaN) + 1;
    if (change.version === next && this.#stored) {
      this.#take(applyChange(this.#stored, change));
      if (!own) this.#show({ theirs: change });
    } else if (change.version < next) {
      this.#take(this.#stored);
    } else {
      void this.load();
    }
  }

  /** Loads what is stored. Called while that is under way, it does so once more. */
  async load(): Promise<void> {
    this.#isStale = true;
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        const loaded = await this.#reach(() => loadPlaylist(this.id));
        // Pokes may have gone further meanwhile.
        if (loaded.version >= (this.#stored?.version ?? 0)) this.#take(loaded);
      }
    } catch (error) {
      this.#show({ refusal: refusalOf(error) });
    } finally {
      this.#isLoading = false;
    }
  }

  /** Does an edit here at once, and has it stored. */
  edit(edit: Edit): void {
    this.#own.push({ edit });
    this.#show({ refusal: undefined });
    void this.#save();
  }

  /** One after the other, as they were made. */
  async #save(): Promise<void> {
    if (this.#isSaving) return;
    this.#isSaving = true;
    for (;;) {
      const own = this.#own.find(({ version }) => version === undefined);
      if (!own) break;
      try {
        this.receive(await this.#reach(() => saveEdit(this.id, own.edit)));
      } catch (error) {
        this.#own = this.#own.filter((other) => other !== own);
        this.#show({ refusal: refusalOf(error) });
      }
    }
    this.#isSaving = false;
  }

  /** Both loading and saving go on until the back end has answered. */
  #reach<T>(call: () => Promise<T>): Promise<T> {
    const isFinal = (error: unknown) => error instanceof RefusedEdit;
    return untilReached(call, isFinal, (isReached) => {
      if (isReached === this.#view.isUnreachable) this.#show({ isUnreachable: !isReached });
    });
  }

  #take(stored: Playlist | undefined): void {
    this.#stored = stored;
    this.#own = this.#own.filter(({ version }) => version === undefined || version > (stored?.version ?? 0));
    this.#show({});
  }

  #show(change: Partial<View>): void {
    const playlist = this.#stored && this.#own.reduce((shown, { edit }) => applyEdit(shown, edit), this.#stored);
    const unsaved = this.#own.filter(({ version }) => version === undefined).length;
    this.#view = { ...this.#view, ...change, playlist, unsaved };
    for (const watcher of this.#watchers) watcher();
  }
}

function refusalOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
