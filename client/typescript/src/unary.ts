import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Backoff, fairDice } from "./backoff.js";
import type { Connections, Line } from "./connection.js";
import { checkText, refuse, toValue } from "./data.js";
import { PokeError, remedyOf, Unreadable } from "./error.js";
import type { Audience } from "./gen/poke/v1/poke_pb.js";
import { CUSTOMER } from "./message.js";
import { DEADLINE, LONGEST_DURATION, SHORTEST_ATTEMPT } from "./numbers.js";
import type { CallOptions, Publish } from "./options.js";
import { toError } from "./stream.js";
import { type Clock, sleep, within } from "./time.js";
import type { Tokens } from "./token.js";
import type { Method } from "./wire.js";

/** Makes calls that have one answer. */
export class Caller {
  readonly #clock: Clock;
  readonly #connections: Connections;
  readonly #tokens: Tokens;
  readonly #closing: AbortSignal;

  /** @param closing cancels what is under way */
  constructor(clock: Clock, connections: Connections, tokens: Tokens, closing: AbortSignal) {
    this.#clock = clock;
    this.#connections = connections;
    this.#tokens = tokens;
    this.#closing = closing;
  }

  /** Calls until there is an answer, a final refusal, or no time left. */
  call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageInitShape<I>,
    { signal, deadline = DEADLINE }: CallOptions,
  ): Promise<MessageShape<O>> {
    return within([this.#closing, signal], Number.POSITIVE_INFINITY, async (signal) => {
      const endsAt = this.#clock.now() + (Math.min(deadline, LONGEST_DURATION) || 0);
      const backoff = new Backoff(fairDice);
      let retriedAtOnce = false;
      let earlier: PokeError | undefined;
      for (;;) {
        // Half of what is left: a connection that swallows the first attempt leaves time for another.
        const left = endsAt - this.#clock.now();
        const patience = Math.min(Math.max(left / 2, SHORTEST_ATTEMPT), left);
        const line = this.#connections.take();
        try {
          return await within([signal], patience, (signal) => this.#attempt(line, method, request, signal));
        } catch (cause) {
          const error = toError(cause);
          if (signal.aborted || error.isFinal || error instanceof Unreadable) throw error;
          const isAtOnce: boolean = remedyOf(error) === "retryAtOnce" && !retriedAtOnce;
          retriedAtOnce ||= isAtOnce;
          const delay = isAtOnce ? 0 : (error.retryDelay ?? 0) + backoff.next();
          // CANCELLED would say that the program itself has given up.
          const last = error.code === "CANCELLED" ? new PokeError("UNAVAILABLE", error.message, { cause: error }) : error;
          // An attempt that had hardly any time says less than what the one before it met.
          if (this.#clock.now() >= endsAt && earlier) throw earlier;
          if (this.#clock.now() + delay >= endsAt) throw last;
          earlier = last;
          if (error.reason === undefined) this.#connections.retire(line);
          await sleep(delay, signal);
        } finally {
          this.#connections.release(line);
        }
      }
    });
  }

  #attempt<I extends DescMessage, O extends DescMessage>(
    line: Line,
    method: Method<I, O>,
    request: MessageInitShape<I>,
    signal: AbortSignal,
  ): Promise<MessageShape<O>> {
    return this.#tokens.authorize(undefined, signal, async (headers) => {
      let answer: MessageShape<O> | undefined;
      for await (const message of line.connection.wire(method, request, headers, signal)) answer = message;
      if (answer === undefined) throw new PokeError("UNKNOWN", "the call has ended without an answer");
      return answer;
    });
  }
}

/** @throws PokeError INVALID_ARGUMENT for data without a form on the wire. */
export function toRequest(poke: Publish) {
  if (typeof poke !== "object" || poke === null) refuse("poke", "must have a domain and a filter");
  const { domain, filter, data, customerId, idempotencyKey } = poke;
  const audience: Audience = customerId === undefined ? 0 : CUSTOMER;
  return {
    domain: checkText(domain, "domain"),
    filter: checkText(filter, "filter"),
    data: toValue(data),
    audience,
    customerId: customerId === undefined ? "" : checkText(customerId, "customerId"),
    idempotencyKey: checkText(idempotencyKey || randomKey(), "idempotencyKey"),
  };
}

/** 128 random bits: a retry is recognised, and no two senders make the same. */
function randomKey(): string {
  // React Native has no crypto. A key has to be unique; that nobody can guess it isn't needed.
  const bytes = new Uint8Array(16).map(() => Math.random() * 256);
  if (typeof crypto !== "undefined") crypto.getRandomValues(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
