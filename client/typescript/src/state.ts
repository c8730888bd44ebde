import type { MessageInitShape } from "@bufbuild/protobuf";
import { Backoff, type Dice } from "./backoff.js";
import { Call } from "./call.js";
import { PokeError, type Remedy, remedyOf, TOO_MANY_INTERESTS, Unreadable } from "./error.js";
import type { SubscribeRequestSchema } from "./gen/poke/v1/poke_pb.js";
import { Held, Interests, keyOf, type Notice, type Start } from "./interests.js";
import { type Message, toSubscription, type WireReconnect, type WireRejected } from "./message.js";
import { BACKOFF_MAX, CHANGE_INTERVAL, COALESCE, MAX_DOUBLINGS } from "./numbers.js";
import type { EndedReceived, Interest, Refusal } from "./types.js";

const NEVER = Number.POSITIVE_INFINITY;

/** What the driver has to do. */
export type Action =
  /** Start a call. A token that was fetched at or before `staleToken` must not be used. */
  | { type: "open"; id: number; request: MessageInitShape<typeof SubscribeRequestSchema>; staleToken: number | undefined }
  /** Cancel a call. */
  | { type: "close"; id: number }
  /** Let no new call use the connection of this one. */
  | { type: "retire"; id: number };

/**
 * What the client does about everything that can happen to its stream, without doing it.
 *
 * Calls come and go; the interests and their positions stay. There are at most two calls: the current one, and the next one
 * while it takes over (make before break). Whatever the cause, a new set, a drain, a token or a lost network, it is the
 * same step: open a call with the full set and the saved positions. Nothing here knows a clock, a network or a timer: the
 * driver says what has happened and when, and does the actions that come out.
 */
export class State {
  readonly interests = new Interests((notice) => this.#notices.push(notice));
  current: Call | undefined;
  next: Call | undefined;
  newestId = 0;
  /** Whether messages are read: not while the program is behind. */
  isReading = true;
  /** The device says that it has no network. */
  isOffline = false;

  /** The server has named its limit of interests: before that nobody is told to be over it. */
  #isLimitKnown = false;
  /** Since when the admitted set is another than the newest call's. */
  #changedAt = NEVER;
  #openedAt = -NEVER;
  /** After a failure: no call is opened before. */
  #notBefore = -NEVER;
  /** The server has asked for that wait. */
  #mustWait = false;
  #staleToken: number | undefined;
  /** A call was retried at once, and none has been welcomed since. */
  #retriedAtOnce = false;
  /** How often patience has doubled: a network that holds back heartbeats would otherwise break every call. */
  #doublings = 0;
  readonly #backoff: Backoff;
  #actions: Action[] = [];
  #notices: Notice[] = [];

  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.#backoff = new Backoff(dice);
  }

  /** What has to be done since the last time. */
  takeActions(): Action[] {
    return this.#actions.splice(0);
  }

  /** What the program is to hear since the last time. */
  takeNotices(): Notice[] {
    return this.#notices.splice(0);
  }

  // ---- The program's side

  /** Adds interests, or one more holder to those that are there. What is over the limit waits for room. */
  add(now: number, wanted: [Interest, Start][]): Held[] {
    const all = wanted.map(([interest, start]) => this.interests.find(interest) ?? new Held(interest, start));
    const fresh = all.filter(({ holders }) => holders === 0);
    for (const held of all) held.holders += 1;
    for (const held of fresh) this.interests.set(held.key, held);
    if (fresh.length > 0) this.#review(now);
    return all;
  }

  /** Takes one `add` back. */
  remove(now: number, held: Held): void {
    held.holders -= 1;
    if (held.holders > 0 || this.interests.get(held.key) !== held) return;
    this.interests.delete(held.key);
    for (const call of this.#calls()) call.pending.delete(held.key);
    this.#switchOver();
    this.#review(now);
  }

  /** The program is behind, or has caught up. */
  setReading(now: number, isReading: boolean): void {
    if (isReading && !this.isReading) for (const call of this.#calls()) call.lives(now);
    this.isReading = isReading;
  }

  /** There is reason to hope: the network is back, or somebody looks at the screen. What is left of a wait is dropped. */
  hurry(now: number): void {
    if (!this.current && !this.#mustWait)
      this.#notBefore = Math.min(this.#notBefore, Math.max(now, this.#openedAt + CHANGE_INTERVAL));
  }

  /** Cancels every call and forgets every interest. */
  closeAll(): void {
    this.interests.clear();
    this.#changedAt = NEVER;
    this.#closeCalls();
  }

  // ---- Time

  /** When `onTime` has something to do. */
  deadline(): number {
    // Silence means nothing while nobody reads.
    const watched = this.isReading ? this.#calls() : [];
    return Math.min(this.#openAt(), ...watched.map((call) => call.lostAt(this.#doublings)));
  }

  /** Does what is due. */
  onTime(now: number): void {
    for (;;) {
      const silent = this.isReading && this.#calls().find((call) => call.lostAt(this.#doublings) <= now);
      if (!silent) break;
      this.#onSilence(now, silent.id);
    }
    if (this.#openAt() <= now) this.#open(now);
  }

  #openAt(): number {
    const changeDue = Math.max(this.#changedAt + COALESCE, this.#openedAt + CHANGE_INTERVAL);
    const retries = this.interests.admitted().map(({ retryAt }) => retryAt);
    if (retries.length === 0) return changeDue;
    let due: number;
    if (!this.current) {
      due = Math.max(Math.min(...retries.map((at) => at ?? -NEVER)), this.#changedAt === NEVER ? -NEVER : changeDue);
    } else if (this.next || !this.current.isSettled) {
      // A call can only be replaced without a loss once the position of each interest is known.
      return NEVER;
    } else {
      due = Math.min(changeDue, this.current.moveAt ?? NEVER, ...retries.map((at) => at ?? NEVER));
    }
    return Math.max(due, this.#notBefore);
  }

  /** Opens a call with everything that is admitted, beside the current one if there is one. */
  #open(now: number): void {
    this.#changedAt = NEVER;
    const due = this.interests.admitted().filter(({ retryAt }) => retryAt === undefined || retryAt <= now);
    if (due.length === 0) {
      this.#closeCalls();
      return;
    }
    for (const held of due) held.retryAt = undefined;
    this.#openedAt = now;
    this.newestId += 1;
    const call = new Call(this.newestId, new Map(due.map((held) => [held.key, held])), now, this.#dice);
    if (this.current) this.next = call;
    else this.current = call;
    const subscriptions = due.map(toSubscription);
    this.#actions.push({ type: "open", id: call.id, request: { subscriptions }, staleToken: this.#staleToken });
  }

  #closeCalls(): void {
    for (const { id } of this.#calls()) {
      this.interests.release(id);
      this.#actions.push({ type: "close", id });
    }
    this.current = undefined;
    this.next = undefined;
  }

  /** The next call takes over once each of its interests is live, or refused. */
  #switchOver(): void {
    if (!this.next?.isSettled || !this.current) return;
    const old = this.current.id;
    this.current = this.next;
    this.next = undefined;
    this.interests.release(old);
    this.#actions.push({ type: "close", id: old });
  }

  /** Tells what is over the limit, and sees whether that or something else calls for another call. */
  #review(now: number): void {
    const fallen = this.#isLimitKnown ? this.interests.refuseSurplus() : [];
    for (const { key } of fallen) for (const call of this.#calls()) call.pending.delete(key);
    this.#noteChange(now);
  }

  /** Compares the admitted set with that of the newest call. What is refused for a while isn't missed. */
  #noteChange(now: number): void {
    const newest = this.next ?? this.current;
    const wanted = this.interests.admitted().filter(({ retryAt }) => retryAt === undefined);
    const isSent = wanted.length === newest?.carried.size && wanted.every((held) => newest.serves(held));
    this.#changedAt = isSent ? NEVER : Math.min(this.#changedAt, now);
  }

  #calls(): Call[] {
    return [this.current, this.next].filter((call) => call !== undefined);
  }

  // ---- What a call says

  onMessage(now: number, id: number, message: Message): void {
    const call = this.#calls().find((call) => call.id === id);
    if (!call) return;
    const wasInTime = call.lives(now);
    if (call.isProved(now)) this.#backoff.reset();
    switch (message.type) {
      case "welcome":
        this.#retriedAtOnce = false;
        call.welcome(message.connected.heartbeatInterval, message.reconnectSpread);
        this.#notices.push({ event: message.connected });
        this.#limitTo(now, message.connected.limits.maxInterests);
        break;
      case "live":
        this.interests.subscribed(id, call.live(message, now), message);
        break;
      case "poke":
        this.interests.poke(id, message);
        break;
      case "gap": {
        const concerned = message.interest ? [this.interests.find(message.interest)] : this.interests.ownedBy(id);
        for (const held of concerned) {
          if (held?.owner !== id) continue;
          call.pending.delete(held.key);
          this.interests.lost(held, message, this.#dice(message.reloadSpread));
        }
        break;
      }
      case "ended": {
        call.forgo(keyOf(message.interest));
        const held = this.interests.find(message.interest);
        if (held?.heeds(id)) this.#finish(now, held, message);
        break;
      }
      case "rejected":
        this.#onRejected(now, call, message);
        break;
      case "heartbeat":
        if (wasInTime) this.#doublings = 0;
        this.interests.raise(id, message.checkpoints);
        break;
      case "reconnect":
        this.#onReconnect(now, call, message);
    }
    this.#switchOver();
  }

  #onRejected(now: number, call: Call, { retryDelay, ...rejected }: WireRejected): void {
    const meant = call.meant(rejected.interest);
    if (!meant) return;
    call.forgo(meant.key);
    const held = this.interests.get(meant.key);
    if (!held?.heeds(call.id)) return;
    // Half as much again at random, so that the refused don't come back in one instant.
    if (retryDelay === undefined) this.#finish(now, held, rejected);
    else this.interests.postpone(held, rejected, now + retryDelay + this.#dice(retryDelay / 2));
  }

  #onReconnect(now: number, call: Call, { minDelay, maxDelay, closesAfter, renewToken }: WireReconnect): void {
    if (renewToken) this.#staleToken = now;
    // It has had a GOAWAY: the next call needs a connection of its own.
    else this.#actions.push({ type: "retire", id: call.id });
    call.mustMove(
      now + minDelay + this.#dice(maxDelay - minDelay),
      closesAfter === undefined ? undefined : now + closesAfter,
    );
  }

  /** There is no more of this interest. With the last one the calls are over. */
  #finish(now: number, held: Held, event: EndedReceived | Refusal): void {
    this.interests.finish(held, event);
    for (const call of this.#calls()) call.forgo(held.key);
    if (this.interests.size === 0) this.closeAll();
    else this.#review(now);
  }

  /** The server has named its limit of interests. Zero is none. */
  #limitTo(now: number, limit: number): void {
    if (limit === 0) return;
    this.interests.limit = limit;
    this.#isLimitKnown = true;
    this.#review(now);
  }

  // ---- How a call ends

  /** The watchdog. */
  #onSilence(now: number, id: number): void {
    this.#doublings = Math.min(MAX_DOUBLINGS, this.#doublings + 1);
    this.#actions.push({ type: "retire", id }, { type: "close", id });
    this.onEnd(now, id, new PokeError("UNAVAILABLE", "the server has been silent for too long"));
  }

  /**
   * The server has closed a call with OK. That is right if each interest of the call has ended or was refused for good: what was
   * added since, or had no room on it, is asked for as any change of the set. Otherwise the call is lost.
   */
  onClose(now: number, id: number): void {
    const call = this.#calls().find((call) => call.id === id);
    if (call && call.carried.size === 0) {
      this.#dropCall(now, call);
      this.current ??= this.next;
      if (this.current === this.next) this.next = undefined;
      this.#noteChange(now);
    } else this.onEnd(now, id, new PokeError("UNAVAILABLE", "the server has closed the stream"));
  }

  /**
   * A call is over, for `error`. Of what can't be read nobody knows what it was: unless another call is about to take
   * over, which has asked for everything that this one owes, all that the call carries starts afresh.
   */
  onEnd(now: number, id: number, error: PokeError, remedy: Remedy = remedyOf(error)): void {
    const call = this.#calls().find((call) => call.id === id);
    if (!call) return;
    if (error instanceof Unreadable) {
      this.#actions.push({ type: "close", id });
      if (!this.next || this.next.id === id) this.interests.startAfresh(id, call.carried.values());
    }
    this.#dropCall(now, call);
    if (!this.current && this.next) {
      // The call that was to take over is on its way already, and decides what comes next.
      this.current = this.next;
      this.next = undefined;
      return;
    }
    if (this.interests.size === 0) return;
    const limit = limitIn(error, call);
    if (limit !== undefined) this.#limitTo(now, limit);
    const delay = limit !== undefined ? 0 : this.#delayAfter(now, call, error, remedy);
    if (delay === undefined) {
      this.#notices.push({ error });
      this.closeAll();
      return;
    }
    this.#notBefore = now + delay;
    this.#mustWait = error.retryDelay !== undefined;
    if (this.current) {
      this.#noteChange(now);
      if (limit !== undefined && this.#changedAt !== NEVER) this.#openedAt = this.#changedAt = -NEVER;
    } else {
      this.#changedAt = NEVER;
      this.#notices.push({ event: { type: "reconnecting", cause: error, delay } });
    }
  }

  #dropCall(now: number, call: Call): void {
    if (this.current === call) this.current = undefined;
    else this.next = undefined;
    this.interests.release(call.id);
    // A server that leaves in order is no fault.
    if (call.isProved(now) || call.moveAt !== undefined) this.#backoff.reset();
  }

  /** How long to wait after a failure; `undefined`: for ever. */
  #delayAfter(now: number, call: Call, error: PokeError, remedy: Remedy): number | undefined {
    if (remedy === "giveUp") return undefined;
    if (remedy === "retryAtOnce" && call.reconnectSpread === undefined && !this.#retriedAtOnce) {
      this.#retriedAtOnce = true;
      this.#actions.push({ type: "retire", id: call.id });
      return 0;
    }
    if (remedy === "refreshToken") this.#staleToken = now;
    return (error.retryDelay ?? 0) + this.#jitterAfter(now, call, error.retryDelay !== undefined);
  }

  #jitterAfter(now: number, call: Call, hasRetryInfo: boolean): number {
    // What fails beside a call that lives says nothing about the time after it.
    if (this.current) return this.current.moveAgainAfter(now);
    const spread = call.moveAt !== undefined || !hasRetryInfo ? call.reconnectSpread : undefined;
    const jitter = spread === undefined ? this.#backoff.next() : this.#backoff.nextSpread(spread);
    // Without a network an attempt is a try whether the device knows that rightly.
    return this.isOffline ? Math.max(jitter, BACKOFF_MAX) : jitter;
  }
}

/** The limit that refused all of a call's interests, if the call can be repeated within it. */
function limitIn({ reason, metadata }: PokeError, call: Call): number | undefined {
  const limit = Number(metadata.limit);
  const isUsable = reason === TOO_MANY_INTERESTS && Number.isInteger(limit) && limit >= 1 && limit < call.size;
  return isUsable ? limit : undefined;
}
