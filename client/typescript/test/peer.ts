// A server in the same process, for tests on a paused clock: it does what a test says.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { PokeError } from "../src/error.js";
import { SubscribeResponseSchema } from "../src/gen/poke/v1/poke_pb.js";
import type { Wire } from "../src/wire.js";

type Event = NonNullable<MessageInitShape<typeof SubscribeResponseSchema>["event"]>;

/** One call that has arrived. */
export class Arrived {
  /** How many messages the client has taken. */
  taken = 0;
  readonly #queue: unknown[] = [];
  #end: { error?: unknown } | undefined;
  #wake = () => {};

  constructor(
    readonly method: string,
    // biome-ignore lint/suspicious/noExplicitAny: any of the contract's requests
    readonly request: any,
    readonly token: string | null,
    readonly signal: AbortSignal,
    readonly connection: number,
  ) {
    signal.addEventListener("abort", () => this.fail(signal.reason));
  }

  /** Answers a unary call. */
  answer(message: unknown): void {
    this.#queue.push(message);
    this.end();
  }

  say(event: Event): void {
    this.#queue.push(create(SubscribeResponseSchema, { event }));
    this.#wake();
  }

  /** Greets, and makes live what was asked for. */
  accept(sequence = 0n): void {
    this.say({
      case: "welcome",
      value: {
        streamId: "s",
        heartbeatInterval: { seconds: 20n },
        reconnectSpread: { seconds: 5n },
        limits: { maxInterests: 3 },
      },
    });
    for (const { interest } of this.request.subscriptions) {
      this.say({ case: "subscribed", value: { interest, position: { epoch: "e", sequence }, outcome: 1 } });
    }
  }

  poke(filter: string, sequence: number): void {
    this.say({ case: "poke", value: { domain: "D", filter, position: { epoch: "e", sequence: BigInt(sequence) } } });
  }

  end(): void {
    this.#end ??= {};
    this.#wake();
  }

  fail(error: PokeError): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *messages(): AsyncGenerator<unknown> {
    for (;;) {
      if (this.#queue.length > 0) {
        this.taken += 1;
        yield this.#queue.shift();
      } else if (this.#end) {
        if (this.#end.error) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

export class Peer {
  readonly calls: Arrived[] = [];
  connections = 0;
  closed = 0;

  readonly connect = () => {
    const connection = ++this.connections;
    const wire = (method: { name: string }, request: object, headers: Headers, signal: AbortSignal) => {
      const call = new Arrived(method.name, request, headers.get("authorization"), signal, connection);
      this.calls.push(call);
      return call.messages();
    };
    const close = () => {
      this.closed += 1;
    };
    return { wire: wire as unknown as Wire, close };
  };

  /** Calls that nobody has cancelled. */
  get open(): Arrived[] {
    return this.calls.filter(({ signal }) => !signal.aborted);
  }

  get newest(): Arrived {
    const call = this.calls.at(-1);
    if (!call) throw new Error("nobody has called");
    return call;
  }
}
