import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { csrf } from "hono/csrf";
import { HTTPException } from "hono/http-exception";
import * as v from "valibot";
import { EditSchema } from "../model.js";
import type { Announcer } from "./announcer.js";
import { Refused, type Store } from "./store.js";

/** What a page needs to know before it starts. */
export interface Settings {
  /** The poke server, as a browser reaches it. */
  pokeUrl: string;
}

/** The back end: reads, edits, and the built page from the folder `page`. */
export function app(store: Store, announcer: Announcer, settings: Settings, page: string): Hono {
  const app = new Hono();
  // Other sites' pages can't edit.
  app.use(csrf());
  app.get("/api/settings", (c) => c.json(settings));
  app.get("/api/playlists/:id", (c) => {
    const playlist = store.playlist(c.req.param("id"));
    return playlist ? c.json(playlist) : c.json({ message: "there is no such playlist" }, 404);
  });
  app.post("/api/playlists/:id/edits", bodyLimit({ maxSize: 4096 }), async (c) => {
    const edit = v.safeParse(EditSchema, await c.req.json().catch(() => undefined));
    if (!edit.success) return c.json({ message: "that isn't an edit" }, 400);
    const { change, isNew } = store.store(c.req.param("id"), edit.output);
    if (isNew) announcer.announce(c.req.param("id"), change);
    return c.json(change);
  });
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    if (error instanceof Refused) return c.json({ message: error.message }, 409);
    console.error(error);
    return c.json({ message: "that couldn't be stored" }, 500);
  });
  app.use("*", serveStatic({ root: page }));
  return app;
}
