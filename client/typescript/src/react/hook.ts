"use client";

import { useEffect, useInsertionEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { PokeError } from "../error.js";
import type { Audience, EndedReceived, GapReceived, LiveReceived, PokeReceived, RejectedReceived } from "../types.js";
import { Listening, type ListeningState, type PokeStatus, type Target } from "./listening.js";
import { useClientSource } from "./provider.js";

export type { PokeStatus };

/** What a component may want beside pokes. */
export interface MulticastPokeOptions {
  /**
   * From here on nothing is missed. With `outcome` "fresh" the component loads again what pokes tell changes of: what it loaded
   * at first may have changed before it listened.
   */
  onLive?: ((live: LiveReceived) => void) | undefined;
  /** Something was missed: reload after `gap.reloadAfter` milliseconds. */
  onGap?: ((gap: GapReceived) => void) | undefined;
  /** There is no more of this interest. */
  onEnded?: ((ended: EndedReceived) => void) | undefined;
  /** The interest is refused; unless `isFinal` it is asked for again. Whoever gives it deals with that: `onError` isn't called. */
  onRejected?: ((rejected: RejectedReceived) => void) | undefined;
  /** It has failed: no retry can help. Without this handler and `onRejected` the console is warned, once for each reason. */
  onError?: ((error: PokeError) => void) | undefined;
  /** Start with the newest poke that the server keeps. It counts when listening starts. */
  latest?: boolean | undefined;
  /** Default "everyone". With "customer": the pokes to the customer whose token the client has. */
  audience?: Audience | undefined;
}

/** What {@link useMulticastPoke} gives to a component. */
export interface MulticastPoke extends ListeningState {
  /** Listens, until it is stopped, the interest ends, or the component goes. A second call changes nothing. */
  startPoke: () => void;
  /** Stops listening. Without a start it does nothing. */
  stopPoke: () => void;
}

/**
 * Listens to one interest with the client of the nearest `PokeProvider`, and calls `handlePoke` for each poke.
 *
 * Nothing is listened to before `startPoke`, which is called in an effect that returns `stopPoke`, or when the customer does
 * something. Both stay the same function until the interest or the client is another. With another interest, what was started
 * goes on with that one. The newest `handlePoke` is called, and needs no `useCallback`.
 */
export function useMulticastPoke(
  domain: string,
  filter: string,
  handlePoke: (poke: PokeReceived) => void,
  options: MulticastPokeOptions = {},
): MulticastPoke {
  const source = useClientSource();
  const { audience = "everyone" } = options;
  const target = useMemo<Target>(
    () => ({ source, interest: { domain, filter, audience } }),
    [source, domain, filter, audience],
  );
  const [listening] = useState(() => new Listening());

  // Before any effect that may start it.
  useInsertionEffect(() => {
    listening.callbacks = { ...options, onPoke: handlePoke };
  });
  useEffect(() => listening.attach(target), [listening, target]);

  const read = () => listening.state(target);
  const state = useSyncExternalStore(listening.watch, read, read);
  const controls = useMemo(
    () => ({ startPoke: () => listening.start(target), stopPoke: () => listening.stop(target) }),
    [listening, target],
  );
  return { ...state, ...controls };
}
