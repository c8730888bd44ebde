import { Store } from "../store.js";
import { type Sample, sampled } from "./rates.js";
import type { ServerState, Settings, Status } from "./state.js";

/** Milliseconds between two looks. The server makes a new picture once a second. */
const INTERVAL = 2000;
/** Milliseconds after which a look is given up. */
const PATIENCE = 5000;

/** Looks at the server's state as long as somebody looks at the page. */
export class Monitor {
  readonly state = new Store<ServerState>({ kind: "asking" });
  readonly samples = new Store<Sample[]>([]);
  readonly #fetch: typeof fetch;
  #key = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #look: AbortController | undefined;

  constructor(fetcher: typeof fetch = (...request) => fetch(...request)) {
    this.#fetch = fetcher;
  }

  /** Looks from now on, as whoever has this key. */
  start(key: string): void {
    this.#key = key;
    this.#again(0);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#look?.abort();
    // What is given up changes nothing any more.
    this.#look = undefined;
  }

  #again(delay: number): void {
    this.stop();
    this.#timer = setTimeout(() => void this.#run(), delay);
  }

  async #run(): Promise<void> {
    // Nobody sees a page in the background; it looks again when it is seen.
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => this.#again(0), { once: true });
      return;
    }
    const look = new AbortController();
    this.#look = look;
    const timer = setTimeout(() => look.abort(), PATIENCE);
    try {
      const state = await this.#ask(look.signal);
      // Another key may have been entered meanwhile.
      if (this.#look !== look) return;
      this.state.value = state;
    } catch (error) {
      if (this.#look !== look) return;
      this.#lose(error);
    } finally {
      clearTimeout(timer);
    }
    this.#again(INTERVAL);
  }

  async #ask(signal: AbortSignal): Promise<ServerState> {
    const answer = await this.#get("/console/status", signal);
    if (answer.status === 401 || answer.status === 403) {
      const { message } = (await answer.json()) as { message: string };
      this.samples.value = [];
      return { kind: "refused", needsKey: answer.status === 401 && !this.#key, why: message };
    }
    const status = (await this.#json(answer)) as Status;
    const before = this.state.value.kind === "known" ? this.state.value : undefined;
    this.samples.value = sampled(this.samples.value, before?.status, status, Date.now());
    const isSame = before?.status.epoch === status.epoch && before.status.configReloads === status.configReloads;
    const settings =
      (isSame && before.settings) || ((await this.#json(await this.#get("/console/settings", signal))) as Settings);
    return { kind: "known", status, settings };
  }

  #get(path: string, signal: AbortSignal): Promise<Response> {
    const headers: HeadersInit = this.#key ? { authorization: `Bearer ${this.#key}` } : {};
    return this.#fetch(path, { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
  }

  async #json(answer: Response): Promise<unknown> {
    if (!answer.ok) throw new Error(`it answers with HTTP ${answer.status}`);
    return answer.json();
  }

  #lose(error: unknown): void {
    const aborted = error instanceof DOMException && error.name === "AbortError";
    const why = aborted
      ? "it doesn't answer"
      : error instanceof TypeError
        ? "it can't be reached"
        : String((error as Error).message);
    const state = this.state.value;
    this.state.value =
      state.kind === "known" ? { ...state, lost: { since: state.lost?.since ?? new Date(), why } } : { kind: "lost", why };
  }
}
