"use client";

import { createContext, createElement, type ReactElement, type ReactNode, useContext, useEffect, useMemo } from "react";
import type { PokeClient } from "../client.js";
import { type ClientSource, given, madeFrom } from "./source.js";

const ClientContext = createContext<ClientSource | undefined>(undefined);

/** Where the pokes below a provider come from: a client of the program, or a URL to make one for. */
export type PokeProviderProps = { children?: ReactNode } & (
  | {
      /** Made by `createClient`, with a token for example. The program closes it, once nothing below listens: hooks aren't told. */
      client: PokeClient;
      url?: undefined;
    }
  | {
      /** Of the service. The client speaks gRPC-Web by fetch, without a token, and is closed with the provider. */
      url: string;
      client?: undefined;
    }
);

/** Gives a client to all hooks below it, so that they share one stream. */
export function PokeProvider({ client, url, children }: PokeProviderProps): ReactElement {
  const source = useMemo(() => {
    if (client) return given(client);
    if (url) return madeFrom(url);
    throw new Error("PokeProvider needs a client or a url");
  }, [client, url]);
  useEffect(() => () => source.release(), [source]);
  return createElement(ClientContext.Provider, { value: source }, children);
}

/** The client of the nearest provider. */
export function useClientSource(): ClientSource {
  const source = useContext(ClientContext);
  if (!source) {
    throw new Error("useMulticastPoke needs a <PokeProvider> above it");
  }
  return source;
}
