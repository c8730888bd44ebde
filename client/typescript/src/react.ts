"use client";

export { PokeProvider, type PokeProviderProps } from "./react/provider.js";

// After the provider, so that bundlers put all modules of the SDK behind those of protobuf: side by side they compress better.

export {
  type MulticastPoke,
  type MulticastPokeOptions,
  type PokeStatus,
  useMulticastPoke,
} from "./react/hook.js";
