import { expect } from "@playwright/test";
import type { Interest, ListenOptions, PokeEvent } from "multicast-poke";
import type { Told } from "../pages/listener.js";
import type { Tab } from "./engines.js";
import type { Server } from "./server.js";
import type { Site } from "./site.js";

/** The interest that most tests listen to. */
export const PLAYLIST: Interest = { domain: "PLAYLIST", filter: "42" };

/** Opens the page that listens, and waits until it is live. */
export async function listen(
  page: Tab,
  site: Site,
  server: Pick<Server, "url">,
  options: ListenOptions = {},
  token?: string,
): Promise<void> {
  await page.goto(site.page("listener"));
  const start = { url: server.url, interests: [PLAYLIST], options, token };
  await page.evaluate(({ url, interests, options, token }) => {
    window.listener.client(url, token);
    window.listener.listen(url, interests, options);
  }, start);
  await isTold(page, "live");
}

/** What a component of a page was told so far, of one type. */
export async function told<T extends PokeEvent["type"]>(
  page: Tab,
  type: T,
  component = "component",
): Promise<Extract<Told, { type: T }>[]> {
  const events = await page.evaluate((name) => window.listener.events(name), component);
  return events.filter((event): event is Extract<Told, { type: T }> => event.type === type);
}

/** Waits until a page was told something at least this often. */
export async function isTold(page: Tab, type: PokeEvent["type"], count = 1, timeout = 15_000): Promise<void> {
  await expect.poll(async () => (await told(page, type)).length, { timeout, message: type }).toBeGreaterThanOrEqual(count);
}

/** What the pokes that a page got have said, in order. */
export async function dataOf(page: Tab, component?: string): Promise<unknown[]> {
  return (await told(page, "poke", component)).map(({ data }) => data);
}
