import { checkWanted } from "./arguments.js";
import { type Connection, Connections } from "./connection.js";
import { refuse } from "./data.js";
import { PokeError } from "./error.js";
import { PokeService, type Position as WirePosition } from "./gen/poke/v1/poke_pb.js";
import { PokeIterator, type Subscribe, toHandlers } from "./listen.js";
import { positionFromWire } from "./message.js";
import { EVENT_BUFFER } from "./numbers.js";
import type { CallOptions, ClientOptions, Handlers, InterestEnd, ListenOptions, Publish, Published } from "./options.js";
import { type Device, Stream } from "./stream.js";
import { Clock, canceled, onAbort } from "./time.js";
import { Tokens } from "./token.js";
import type { Interest, PokeEvent, Position, SavedPosition } from "./types.js";
import { Caller, toRequest } from "./unary.js";

/**
 * A client of a Multicast Poke service. All its interests share one stream, which is there as long as somebody listens.
 *
 * Make one by `createClient` of "multicast-poke/web" or "multicast-poke/node".
 */
export class PokeClient {
  readonly #clock = new Clock();
  readonly #connections: Connections;
  readonly #stream: Stream;
  readonly #caller: Caller;
  readonly #closing = new AbortController();

  /**
   * @param connect makes a connection: before the first call, and whenever no new call may use the last one
   * @param device what the device knows of itself, where it knows anything
   */
  constructor(connect: () => Connection, options: ClientOptions = {}, device?: Device) {
    this.#connections = new Connections(connect);
    const tokens = new Tokens(options.token, this.#clock);
    const eventBuffer = Math.max(1, options.eventBuffer || EVENT_BUFFER);
    this.#stream = new Stream(this.#clock, this.#connections, tokens, eventBuffer, device);
    this.#caller = new Caller(this.#clock, this.#connections, tokens, this.#closing.signal);
  }

  /**
   * Listens, as an async iterable. It ends when each of its interests has ended, when the signal is aborted or the client is
   * closed. It throws a {@link PokeError} when no retry can help: at once if that concerns all interests; when none is left, if
   * one of them was finally rejected and `markHandled` of that event wasn't called. Leaving the loop stops listening. Each loop
   * over it listens by itself, and starts with its first `next`.
   *
   * Interests beyond the limit of a stream are told "rejected", not final, and asked for when there is room.
   *
   * @throws PokeError INVALID_ARGUMENT, from the loop, for malformed arguments.
   */
  pokes(interests: Interest | readonly Interest[], options: ListenOptions = {}): AsyncIterable<PokeEvent> {
    const subscribe = this.#subscription(interests, options);
    return { [Symbol.asyncIterator]: () => new PokeIterator(subscribe) };
  }

  /**
   * Listens, by callbacks, which are called after this has returned. It returns what stops listening: after that no
   * callback is called. What a callback throws is an uncaught error of the program, and changes nothing here.
   *
   * Without `onRejected`, `onError` is told of final rejections once no interest is left. Without both, the console is.
   *
   * @throws PokeError INVALID_ARGUMENT for malformed arguments.
   */
  listen(interests: Interest | readonly Interest[], handlers: Handlers, options: ListenOptions = {}): () => void {
    return toHandlers(this, this.#subscription(interests, options), handlers);
  }

  /**
   * The position of each interest, through the last event that everybody who listens to it has taken. Save them when those
   * events are handled, and pass them as {@link ListenOptions.positions} to go on there, also in another process.
   */
  positions(): SavedPosition[] {
    return this.#stream.positions();
  }

  /**
   * Sends one poke. It is tried again under one key until the server has answered or the deadline has passed.
   *
   * @throws PokeError INVALID_ARGUMENT before anything is sent when the data has no form on the wire: it says where. One that
   * isn't final when the deadline has passed: the outcome is unknown. CANCELLED by the signal or by `close`. Else what the
   * server says.
   */
  async publish(poke: Publish, options: CallOptions = {}): Promise<Published> {
    this.#checkOpen();
    const answer = await this.#caller.call(PokeService.method.publish, toRequest(poke), options);
    const { localReceiverCount, duplicate } = answer;
    return {
      position: required(answer.position),
      ...(localReceiverCount === undefined ? {} : { localReceiverCount }),
      duplicate: duplicate ?? false,
    };
  }

  /**
   * Tells everyone who listens that there is no more of an interest. Repeats answer with the first position.
   *
   * @throws PokeError as {@link PokeClient.publish}.
   */
  async endInterest(end: Publish, options: CallOptions = {}): Promise<InterestEnd> {
    this.#checkOpen();
    const answer = await this.#caller.call(PokeService.method.endInterest, toRequest(end), options);
    return { position: required(answer.position) };
  }

  /** Cancels everything, for good: iterators end, and calls fail with CANCELLED. */
  close(): void {
    this.#closing.abort();
    this.#stream.close();
    this.#connections.close();
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw canceled();
  }

  #subscription(interests: Interest | readonly Interest[], options: ListenOptions): Subscribe {
    const { signal } = options;
    return (wake) => {
      this.#checkOpen();
      if (signal && typeof signal.addEventListener !== "function") refuse("signal", "must be an AbortSignal");
      const listener = this.#stream.listen(checkWanted(interests, options), wake);
      let forget = () => {};
      const leave = () => {
        forget();
        this.#stream.leave(listener);
      };
      if (signal) forget = onAbort(signal, leave);
      if (signal?.aborted) leave();
      return { listener, leave };
    };
  }
}

function required(position: WirePosition | undefined): Position {
  if (!position) throw new PokeError("DATA_LOSS", "the answer has no position");
  return positionFromWire(position);
}

export type * from "./options.js";
