import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import type { UniversalClientRequest } from "@connectrpc/connect/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PokeError, remedyOf, Unreadable } from "./error.js";
import { BadRequestSchema, ErrorInfoSchema, ErrorStatusSchema, RetryInfoSchema } from "./gen/poke/v1/errors_pb.js";
import { PokeService, SubscribeResponseSchema } from "./gen/poke/v1/poke_pb.js";
import { toMessage } from "./message.js";
import { milliseconds, statusError } from "./status.js";
import { grpc, overTransport, type Wire } from "./wire.js";

const { subscribe, publish } = PokeService.method;
const event = (sequence: number) => toBinary(SubscribeResponseSchema, create(SubscribeResponseSchema, poke(sequence)));
const poke = (sequence: number): MessageInitShape<typeof SubscribeResponseSchema> => ({
  event: { case: "poke", value: { domain: "D", filter: "a", position: { epoch: "e", sequence: BigInt(sequence) } } },
});

function frame(flags: number, data: Uint8Array): number[] {
  const { length } = data;
  return [flags, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255, ...data];
}

const trailer = (text: string) => frame(0x80, new TextEncoder().encode(text));

interface Answer {
  status?: number;
  header?: Record<string, string>;
  body?: number[];
  trailer?: Record<string, string>;
  /** Where the body is cut into chunks. */
  cuts?: number[];
}

/** A wire to a server that answers so; and what it was asked. */
function answering(
  { status = 200, header = {}, body = [], trailer = {}, cuts = [] }: Answer,
  protocol: "grpc" | "grpc-web" = "grpc-web",
) {
  const asked: UniversalClientRequest[] = [];
  const bounds = [0, ...cuts.map((cut) => Math.min(cut, body.length)).sort((a, b) => a - b), body.length];
  async function* chunks() {
    for (const [at, bound] of bounds.slice(1).entries()) yield Uint8Array.from(body.slice(bounds[at], bound));
  }
  const wire = grpc(
    "https://poke",
    async (request) => {
      asked.push(request);
      const headers = new Headers({ "content-type": `application/${protocol}+proto`, ...header });
      return { status, header: headers, body: chunks(), trailer: new Headers(trailer) };
    },
    protocol,
  );
  return { wire, asked };
}

/** The sequences of the pokes that come, and the error that ends them. */
async function read(wire: Wire): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const { event } of wire(subscribe, {}, new Headers(), new AbortController().signal)) {
      seen.push(event.case === "poke" ? Number(event.value.position?.sequence) : event.case);
    }
  } catch (error) {
    seen.push(error);
  }
  return seen;
}

async function failure(answer: Answer, protocol?: "grpc" | "grpc-web"): Promise<PokeError> {
  const error = (await read(answering(answer, protocol).wire)).at(-1);
  expect(error).toBeInstanceOf(PokeError);
  return error as PokeError;
}

describe("gRPC-Web", () => {
  const body = [...frame(0, event(1)), ...frame(0, event(2)), ...trailer("grpc-status: 0\r\n")];

  test("asks as the protocol has it", async () => {
    const { wire, asked } = answering({ body });
    await read(wire);
    const [request] = asked;
    expect(request).toMatchObject({ url: "https://poke/poke.v1.PokeService/Subscribe", method: "POST" });
    expect([...(request?.header ?? [])]).toEqual([
      ["content-type", "application/grpc-web+proto"],
      ["x-grpc-web", "1"],
    ]);
    const sent = await request?.body?.[Symbol.asyncIterator]().next();
    expect([...(sent?.value ?? [])]).toEqual([0, 0, 0, 0, 0]);
  });

  test("messages come whole, wherever the body is cut", async () => {
    const cuts = fc.array(fc.nat({ max: body.length }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(cuts, async (cuts) => {
        expect(await read(answering({ body, cuts }).wire)).toEqual([1, 2]);
      }),
    );
  });

  test("a body that stops anywhere gives what came whole, and ends without a status", async () => {
    for (let length = 0; length < body.length; length += 1) {
      const seen = await read(answering({ body: body.slice(0, length) }).wire);
      expect(seen.at(-1)).toMatchObject({ code: "UNKNOWN", isFinal: false });
      expect(seen.slice(0, -1)).toEqual([1, 2].slice(0, seen.length - 1));
    }
  });

  test("a status comes in a trailer, or in the headers of an answer without a body", async () => {
    const text = "grpc-status:7\r\nGrpc-Message: no%20way %C3%A9\r\n";
    expect(await failure({ body: trailer(text) })).toMatchObject({ code: "PERMISSION_DENIED", message: "no way é" });
    const header = { "grpc-status": "7", "grpc-message": "100%" };
    expect(await failure({ header })).toMatchObject({ code: "PERMISSION_DENIED", message: "100%" });
  });

  test("whatever comes, it is a message or a PokeError", async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((data) => [...data]),
      fc.uint8Array({ maxLength: 60 }).map((data) => frame(0, data)),
      // A garbled poke: most of it is still in order.
      fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
        const data = event(1);
        data[at % data.length] = byte;
        return frame(0, data);
      }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (body) => {
        const { wire } = answering({ body });
        try {
          for await (const response of wire(subscribe, {}, new Headers(), new AbortController().signal)) {
            expect(JSON.stringify(toMessage(response))).toContain("type");
          }
        } catch (error) {
          expect(error).toBeInstanceOf(PokeError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("what can't be read is told apart from a fault of the server", async () => {
    for (const garbled of [frame(0, Uint8Array.of(0x22, 200)), frame(1, event(1)), [0, 255, 255, 255, 255]]) {
      expect(await failure({ body: garbled })).toBeInstanceOf(Unreadable);
    }
  });
});

describe("gRPC", () => {
  test("the status comes in HTTP trailers", async () => {
    const { wire, asked } = answering({ body: frame(0, event(3)), trailer: { "grpc-status": "0" } }, "grpc");
    expect(await read(wire)).toEqual([3]);
    expect(asked[0]?.header.get("te")).toBe("trailers");
    expect(await failure({ trailer: { "grpc-status": "14" } }, "grpc")).toMatchObject({ code: "UNAVAILABLE" });
  });
});

describe("errors", () => {
  const detail = <D extends DescMessage>(schema: D, value: MessageInitShape<D>) => {
    const any = anyPack(schema, create(schema, value));
    return { ...any, typeUrl: any.typeUrl.replace("poke.v1.", "google.rpc.") };
  };

  test("of the server carry a reason and its details, a delay and violations", async () => {
    const details = [
      detail(ErrorInfoSchema, { reason: "RATE_LIMITED", domain: "poke.v1", metadata: { limit: "10" } }),
      detail(RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 500_000_000 } }),
      detail(BadRequestSchema, { fieldViolations: [{ field: "filter", description: "too long" }] }),
    ];
    const status = toBinary(ErrorStatusSchema, create(ErrorStatusSchema, { code: 8, details }));
    for (const encoding of ["base64", "base64url"] as const) {
      const header = {
        "grpc-status": "8",
        "grpc-status-details-bin": Buffer.from(status).toString(encoding).replace(/=+$/, ""),
      };
      expect(await failure({ header })).toMatchObject({
        code: "RESOURCE_EXHAUSTED",
        reason: "RATE_LIMITED",
        metadata: { limit: "10" },
        retryDelay: 1500,
        violations: [{ field: "filter", description: "too long" }],
        isFinal: false,
      });
    }
  });

  test("of others have no reason, and details that can't be read don't hide the code", async () => {
    const foreign = [
      {
        type: "google.rpc.ErrorInfo",
        value: toBinary(
          ErrorInfoSchema,
          create(ErrorInfoSchema, { reason: "R", domain: "proxy", metadata: { limit: "1" } }),
        ),
      },
    ];
    expect(statusError(13, "", foreign)).toMatchObject({ code: "INTERNAL", reason: undefined, metadata: {} });
    expect(statusError(13, "", [{ type: "google.rpc.ErrorInfo", value: Uint8Array.of(10, 200) }]).code).toBe("INTERNAL");
    expect(await failure({ header: { "grpc-status": "16", "grpc-status-details-bin": "?" } })).toMatchObject({
      code: "UNAUTHENTICATED",
    });
    expect(await failure({ header: { "grpc-status": "99" } })).toMatchObject({ code: "UNKNOWN" });
  });

  test("that aren't gRPC go by their HTTP status", async () => {
    const remedies: Record<number, string> = {};
    for (const status of [200, 0, 302, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 500, 502, 503, 504, 520]) {
      const error = await failure({ status, header: { "content-type": "text/html" } });
      expect(error.httpStatus).toBe(status);
      remedies[status] = remedyOf(error);
    }
    const of = (remedy: string) =>
      Object.entries(remedies)
        .filter(([, is]) => is === remedy)
        .map(([status]) => Number(status));
    expect(of("retry")).toEqual([408, 429, 500, 502, 503, 504, 520]);
    expect(of("refreshToken")).toEqual([401]);
    expect(of("giveUp")).toEqual([0, 200, 302, 400, 403, 404, 405, 413, 415, 431]);
    expect((await failure({ status: 503, header: { "grpc-status": "3" } })).httpStatus).toBeUndefined();
  });

  test.each([
    ["CANCELLED", "giveUp", "retryAtOnce"],
    ["UNKNOWN", "giveUp", "retryAtOnce"],
    ["INVALID_ARGUMENT", "giveUp", "giveUp"],
    ["DEADLINE_EXCEEDED", "retry", "retry"],
    ["NOT_FOUND", "giveUp", "giveUp"],
    ["ALREADY_EXISTS", "giveUp", "giveUp"],
    ["PERMISSION_DENIED", "giveUp", "giveUp"],
    ["RESOURCE_EXHAUSTED", "giveUp", "giveUp"],
    ["FAILED_PRECONDITION", "giveUp", "giveUp"],
    ["ABORTED", "giveUp", "giveUp"],
    ["OUT_OF_RANGE", "giveUp", "giveUp"],
    ["UNIMPLEMENTED", "giveUp", "giveUp"],
    ["INTERNAL", "giveUp", "retryAtOnce"],
    ["UNAVAILABLE", "retry", "retry"],
    ["DATA_LOSS", "giveUp", "giveUp"],
    ["UNAUTHENTICATED", "refreshToken", "refreshToken"],
  ])("%s by the server: %s, by others: %s", (code, byServer, byOthers) => {
    expect(remedyOf(new PokeError(code, "", { reason: "R" }))).toBe(byServer);
    expect(remedyOf(new PokeError(code, ""))).toBe(byOthers);
    expect(remedyOf(new PokeError(code, "", { reason: "R", retryDelay: 0 }))).toBe("retry");
  });

  test("durations are cut to a day, and a negative one is zero", () => {
    const duration = (seconds: bigint, nanos = 0) => milliseconds({ $typeName: "google.protobuf.Duration", seconds, nanos });
    expect([duration(1n, 1_000_000), duration(2n ** 62n), duration(-5n), milliseconds(undefined)]).toEqual([
      1001,
      86_400_000,
      0,
      undefined,
    ]);
  });
});

describe("a transport of Connect", () => {
  const headers = new Headers({ authorization: "Bearer t" });
  const { signal } = new AbortController();

  test("carries both kinds of calls", async () => {
    const transport = createRouterTransport(({ service }) => {
      service(PokeService, {
        publish: (_, { requestHeader }) => ({ position: { epoch: requestHeader.get("authorization") ?? "" } }),
        async *subscribe() {
          yield poke(1);
          throw new ConnectError("gone", Code.Unavailable);
        },
      });
    });
    const answers = [];
    for await (const { position } of overTransport(transport)(publish, {}, headers, signal)) answers.push(position?.epoch);
    expect(answers).toEqual(["Bearer t"]);
    expect(await read(overTransport(transport))).toMatchObject([1, { code: "UNAVAILABLE", message: "gone" }]);
  });
});
