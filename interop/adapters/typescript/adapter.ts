// The adapter of the TypeScript SDK, wherever it runs. See interop/README.md for what it speaks.
import {
  type CallOptions,
  type ClientOptions,
  type Data,
  encodedSize,
  type Interest,
  type ListenOptions,
  type PokeClient,
  type PokeError,
  type PokeEvent,
  type Position,
  type Publish,
} from "../../../client/typescript/src/index.js";
import { toldError, toldEvent } from "./told.js";

interface Command extends Omit<Publish, "data"> {
  id: number;
  command: string;
  client: string;
  subscription: string;
  url: string;
  tokens?: string[];
  interests: Wanted[];
  interest: Wanted;
  data?: Data;
  special?: string;
  deadlineMs?: number;
}

interface Wanted extends Interest {
  latest?: boolean;
  position?: Position;
}

/** What makes clients: that of `multicast-poke/node` or `/web`. */
type CreateClient = (url: string, options: ClientOptions) => PokeClient;

let createClient: CreateClient;
let say: (line: object) => void;
const clients = new Map<string, PokeClient>();
const subscriptions = new Map<string, Listening>();

/** A subscription: a loop for each interest, so that each can be left by itself. They share one stream all the same. */
class Listening {
  readonly #loops = new Map<string, { iterator: AsyncIterator<PokeEvent>; holders: number }>();
  #isOver = false;
  /** The first refusal that ended one of the loops: told when the last loop is over, as if they were one. */
  #refusal: PokeError | undefined;
  #resume = () => {};
  #resumed = Promise.resolve();

  constructor(
    readonly name: string,
    readonly client: PokeClient,
    wanted: Wanted[],
  ) {
    for (const one of wanted) this.add(one);
  }

  add({ latest, position, ...interest }: Wanted): void {
    const held = this.#loops.get(keyOf(interest));
    if (held) {
      held.holders += 1;
      return;
    }
    const options: ListenOptions = { latest, positions: position && [{ ...interest, position }] };
    const iterator = this.client.pokes(interest, options)[Symbol.asyncIterator]();
    this.#loops.set(keyOf(interest), { iterator, holders: 1 });
    void this.#read(keyOf(interest), iterator);
  }

  async remove(wanted: Wanted): Promise<void> {
    const held = found(this.#loops.get(keyOf(wanted)));
    held.holders -= 1;
    if (held.holders > 0) return;
    this.#loops.delete(keyOf(wanted));
    await held.iterator.return?.();
  }

  async cancel(): Promise<void> {
    this.#isOver = true;
    for (const { iterator } of this.#loops.values()) await iterator.return?.();
  }

  pause(): void {
    this.#resumed = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#resume();
  }

  get positions() {
    return this.client.positions().filter((saved) => this.#loops.has(keyOf(saved)));
  }

  async #read(key: string, iterator: AsyncIterator<PokeEvent>): Promise<void> {
    try {
      for (;;) {
        await this.#resumed;
        const { done, value } = await iterator.next();
        await this.#resumed;
        if (done) break;
        if (!this.#isRepeated(value, key)) this.#tell(toldEvent(value));
      }
    } catch (cause) {
      const error = cause as PokeError;
      if (error.rejected.length > 0) this.#refusal ??= error;
      else this.#finish(error);
    }
    if (this.#loops.get(key)?.iterator === iterator) this.#loops.delete(key);
    else return; // it was removed
    if (this.#loops.size === 0) this.#finish(this.#refusal);
  }

  #finish(error: PokeError | undefined): void {
    this.#tell(error ? { event: "failed", error: toldError(error) } : { event: "over" });
    this.#isOver = true;
  }

  /** Each loop hears of the one stream: the first one tells. */
  #isRepeated(event: PokeEvent, key: string): boolean {
    const isOfStream = event.type === "connected" || event.type === "reconnecting";
    return isOfStream && key !== this.#loops.keys().next().value;
  }

  #tell(event: object): void {
    if (!this.#isOver) say({ subscription: this.name, event });
  }
}

/** What a command comes to: the fields of its answer beside the id. */
async function handle(command: Command): Promise<object> {
  const client = () => found(clients.get(command.client));
  const subscription = () => found(subscriptions.get(command.subscription));
  const { deadlineMs: deadline } = command;
  const options: CallOptions = deadline === undefined ? {} : { deadline };
  switch (command.command) {
    case "open":
      clients.set(command.client, createClient(command.url, { token: tokenOf(command.tokens ?? []) }));
      return { ok: {} };
    case "subscribe":
      subscriptions.set(command.subscription, new Listening(command.subscription, client(), command.interests));
      return { ok: {} };
    case "add":
      subscription().add(command.interest);
      return { ok: {} };
    case "remove":
      await subscription().remove(command.interest);
      return { ok: {} };
    case "pause":
      subscription().pause();
      return { ok: {} };
    case "resume":
      subscription().resume();
      return { ok: {} };
    case "positions":
      return { ok: { positions: subscription().positions } };
    case "cancel":
      await subscription().cancel();
      subscriptions.delete(command.subscription);
      return { ok: {} };
    case "publish":
      return { ok: await client().publish(toPublish(command), options) };
    case "end":
      return { ok: await client().endInterest(toPublish(command), options) };
    case "size":
      return { ok: { bytes: encodedSize(dataOf(command)) } };
    case "close":
      await close(command.client);
      return { ok: {} };
    default:
      return { unsupported: `no command ${command.command.slice(0, 20)}` };
  }
}

async function close(name: string): Promise<void> {
  const client = found(clients.get(name));
  for (const [key, listening] of subscriptions) {
    if (listening.client !== client) continue;
    await listening.cancel();
    subscriptions.delete(key);
  }
  client.close();
  clients.delete(name);
}

function toPublish(command: Command): Publish {
  const { domain, filter, customerId, idempotencyKey } = command;
  return { domain, filter, customerId, idempotencyKey, data: dataOf(command) };
}

function dataOf({ data, special }: Command): Data {
  const specials: { [name: string]: unknown } = {
    nan: Number.NaN,
    infinity: Number.POSITIVE_INFINITY,
    unsafe_integer: 9007199254740993n,
    lone_surrogate: "\ud800",
  };
  return special === undefined ? data : (specials[special] as Data);
}

function tokenOf(tokens: string[]): ClientOptions["token"] {
  const left = [...tokens];
  if (left.length < 2) return left[0];
  return async () => (left.length > 1 ? left.shift() : left[0]) ?? "";
}

function keyOf({ domain, filter, audience = "everyone" }: Interest): string {
  return JSON.stringify([domain, filter, audience]);
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("no such client or subscription");
  return value;
}

/** Begins to speak as `version`. Gives what takes the lines of commands. */
export function serve(
  version: string,
  create: CreateClient,
  write: (line: string) => void,
): (line: string) => Promise<void> {
  createClient = create;
  say = (line) => write(JSON.stringify(line));
  say({ ready: true, version });
  return async (line) => {
    const command: Command = JSON.parse(line);
    const answer = await handle(command).catch((error) => ({ error: toldError(error) }));
    say({ ...answer, id: command.id });
  };
}
