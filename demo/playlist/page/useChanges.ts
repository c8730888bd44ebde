import { useMulticastPoke } from "multicast-poke/react";
import { useEffect, useRef } from "react";
import * as v from "valibot";
import { ChangeSchema } from "../model.js";
import type { PlaylistCopy } from "./copy.js";

/**
 * Keeps a copy in step with the store, while the page is there.
 *
 * It starts with the latest poke, so that a change between the first load and the moment at which the stream is live
 * shows as a missing version.
 */
export function useChanges(copy: PlaylistCopy) {
  const reload = useRef<ReturnType<typeof setTimeout>>(undefined);
  const { startPoke, stopPoke, status, error } = useMulticastPoke(
    "PLAYLIST",
    copy.id,
    ({ data }) => {
      const change = v.safeParse(ChangeSchema, data);
      // A poke that this page doesn't understand still says that there is something new.
      if (change.success) copy.receive(change.output);
      else void copy.load();
    },
    {
      latest: true,
      onGap: ({ reloadAfter }) => {
        clearTimeout(reload.current);
        reload.current = setTimeout(() => void copy.load(), reloadAfter);
      },
    },
  );
  useEffect(() => {
    void copy.load();
    startPoke();
    return () => {
      stopPoke();
      clearTimeout(reload.current);
    };
  }, [copy, startPoke, stopPoke]);
  return { status, error };
}
