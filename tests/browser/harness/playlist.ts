import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const DEMO = fileURLToPath(new URL("../../../demo/playlist", import.meta.url));

/** The playlist demo's back end, with a playlist of its own. Its page has to be built. */
export class Playlist {
  readonly #folder = mkdtempSync(join(tmpdir(), "poke-playlist-"));
  #process: ChildProcess | undefined;
  #port = "0";
  readonly log: string[] = [];

  private constructor(readonly pokeUrl: string) {}

  static async start(pokeUrl: string): Promise<Playlist> {
    const playlist = new Playlist(pokeUrl);
    await playlist.restart();
    return playlist;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it again at the same address, with what was stored. */
  async restart(): Promise<void> {
    const env = {
      ...process.env,
      PORT: this.#port,
      POKE_URL: this.pokeUrl,
      PLAYLIST_FILE: join(this.#folder, "playlists.json"),
    };
    const child = spawn(process.execPath, ["--import", "tsx", "server/main.ts"], {
      cwd: DEMO,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    await new Promise<void>((listening, failed) => {
      child.once("exit", (code) => failed(new Error(`the back end ended with ${code}: ${this.log.slice(-10).join("\n")}`)));
      const read = (line: string) => {
        this.log.push(line);
        const port = /at http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
        if (port) {
          this.#port = port;
          listening();
        }
      };
      for (const output of [child.stdout, child.stderr]) createInterface(output).on("line", read);
    });
  }

  /** Edits the playlist, as a page of somebody else does. */
  async edit(edit: object): Promise<void> {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(edit) };
    const answer = await fetch(`${this.url}/api/playlists/sunday-evening/edits`, init);
    if (!answer.ok) throw new Error(await answer.text());
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
