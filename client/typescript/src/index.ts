export * from "./client.js";
export { encodedSize } from "./data.js";
export { PokeError, type PokeErrorOptions, type Violation } from "./error.js";
export type * from "./types.js";
