import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn, UniversalClientResponse } from "@connectrpc/connect/protocol";
import { PokeError, Unreadable } from "./error.js";
import { ErrorStatusSchema } from "./gen/poke/v1/errors_pb.js";
import { type Detail, statusError } from "./status.js";

/** A method that is answered by messages: one, or a stream of them. */
export type Method<I extends DescMessage, O extends DescMessage> = DescMethodUnary<I, O> | DescMethodServerStreaming<I, O>;

/**
 * Calls a method: its messages come until it ends, by a {@link PokeError} unless the status is OK. The signal cancels it.
 *
 * It is not a Transport of Connect, which tells neither a message that can't be read from an error of the server, nor an
 * answer of a proxy from one of gRPC, and which would double what a web page loads.
 */
export type Wire = <I extends DescMessage, O extends DescMessage>(
  method: Method<I, O>,
  request: MessageInitShape<I>,
  headers: Headers,
  signal: AbortSignal,
) => AsyncIterable<MessageShape<O>>;

/** No message of the server is longer: a poke, its envelope, and room for what is to come. */
const LONGEST_MESSAGE = 4 * 1024 * 1024;

const COMPRESSED = 1;
const TRAILERS = 0x80;

/** gRPC, or gRPC-Web where HTTP trailers can't be read, over any HTTP client. */
export function grpc(baseUrl: string, http: UniversalClientFn, protocol: "grpc" | "grpc-web"): Wire {
  return async function* (method, request, headers, signal) {
    headers.set("content-type", `application/${protocol}+proto`);
    if (protocol === "grpc") headers.set("te", "trailers");
    else headers.set("x-grpc-web", "1");
    const message = toBinary(method.input, create(method.input, request));
    const url = `${baseUrl}/${method.parent.typeName}/${method.name}`;
    const answer = await http({ url, method: "POST", header: headers, body: once(envelope(message)), signal });
    checkAnswer(answer);
    let trailer: Headers | undefined;
    for await (const { flags, data } of split(answer.body)) {
      if (flags & TRAILERS) trailer = parseTrailer(data);
      else if (flags & COMPRESSED) throw new Unreadable("it is compressed");
      else yield read(method.output, data);
    }
    checkStatus(trailer ?? (answer.trailer.has("grpc-status") ? answer.trailer : answer.header));
  };
}

/** Any transport of Connect. */
export function overTransport(transport: Transport): Wire {
  return async function* (method, request, headers, signal) {
    try {
      if (method.methodKind === "unary") {
        yield (await transport.unary(method, signal, 0, headers, request)).message;
      } else {
        yield* (await transport.stream(method, signal, 0, headers, once(request))).message;
      }
    } catch (error) {
      const { code, rawMessage, details } = error as { code?: unknown; rawMessage?: string; details?: Detail[] };
      if (typeof code !== "number") throw error;
      if (rawMessage?.startsWith("parse binary")) throw new Unreadable(error);
      throw statusError(
        code,
        rawMessage ?? "",
        details?.filter(({ value }) => value instanceof Uint8Array),
        error,
      );
    }
  };
}

/** An answer that isn't gRPC is one of a proxy, or of something else that listens there. */
function checkAnswer({ status, header }: UniversalClientResponse): void {
  const isGrpc = status === 200 && header.get("content-type")?.startsWith("application/grpc");
  if (isGrpc || header.has("grpc-status")) return;
  const codes: { [status: number]: string } = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
  };
  const code = codes[status] ?? ([429, 502, 503, 504].includes(status) ? "UNAVAILABLE" : "UNKNOWN");
  const words =
    status === 413 ? ": the request is too large for it" : status === 431 ? ": the token is too large for it" : "";
  throw new PokeError(code, `the answer isn't gRPC but HTTP ${status}${words}`, { httpStatus: status });
}

function checkStatus(trailer: Headers): void {
  const code = trailer.get("grpc-status");
  if (code === "0") return;
  if (code === null) throw new PokeError("UNKNOWN", "the stream has ended without a status");
  throw statusError(Number(code), decodeMessage(trailer.get("grpc-message") ?? ""), readDetails(trailer));
}

function readDetails(trailer: Headers): Detail[] {
  const encoded = trailer.get("grpc-status-details-bin");
  if (encoded === null) return [];
  try {
    return fromBinary(ErrorStatusSchema, base64Decode(encoded)).details.map(({ typeUrl, value }) => ({
      type: typeUrl,
      value,
    }));
  } catch {
    return []; // as if there were none: the code still says something
  }
}

function decodeMessage(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function read<D extends DescMessage>(schema: D, data: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, data);
  } catch (error) {
    throw new Unreadable(error);
  }
}

function envelope(message: Uint8Array): Uint8Array {
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint32(1, message.length);
  return concat(head, message);
}

/** Messages with their flags. What is cut off at the end is left out: then there is no status either. */
async function* split(body: AsyncIterable<Uint8Array>): AsyncGenerator<{ flags: number; data: Uint8Array }> {
  let rest = new Uint8Array();
  for await (const chunk of body) {
    rest = concat(rest, chunk);
    while (rest.length >= 5) {
      const length = new DataView(rest.buffer, rest.byteOffset).getUint32(1);
      if (length > LONGEST_MESSAGE) throw new Unreadable(`a message of ${length} bytes`);
      if (rest.length < 5 + length) break;
      yield { flags: rest[0] ?? 0, data: rest.subarray(5, 5 + length) };
      rest = rest.subarray(5 + length);
    }
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function parseTrailer(data: Uint8Array): Headers {
  const trailer = new Headers();
  for (const line of new TextDecoder().decode(data).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) trailer.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return trailer;
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item;
}
