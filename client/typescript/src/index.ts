export * from "./client.js";
export type { Connection } from "./connection.js";
export { encodedSize } from "./data.js";
export { PokeError, type PokeErrorOptions, type Violation } from "./error.js";
export { type SendOptions, sendPoke } from "./send-poke.js";
export type { Device } from "./stream.js";
export type { TokenProvider } from "./token.js";
export type * from "./types.js";
export type { Method, Wire } from "./wire.js";
