"use client";

export {
  type MulticastPoke,
  type MulticastPokeOptions,
  type PokeStatus,
  useMulticastPoke,
} from "./react/hook.js";
export { PokeProvider, type PokeProviderProps } from "./react/provider.js";
