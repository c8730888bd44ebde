import type { Page } from "@playwright/test";
import { expect, test } from "../harness/fixtures.js";
import { PLAYLIST } from "../harness/listening.js";

const { domain, filter } = PLAYLIST;

const seenBy = (page: Page) => page.evaluate(() => (window as unknown as { seen: unknown[] }).seen);

test("under StrictMode there is one stream and one callback a poke, and none after the component has gone", async ({
  page,
  site,
  server,
}) => {
  await page.goto(`${site.page("strict")}?poke=${encodeURIComponent(server.url)}`);
  await expect(page.getByText("live: nothing")).toBeVisible();
  await expect.poll(() => server.openStreams()).toBe(1);
  await server.publish(domain, filter, "one");
  await expect(page.getByText('live: "one"')).toBeVisible();
  expect(await seenBy(page)).toEqual(["one"]);

  await page.getByRole("button", { name: "Hide" }).click();
  await expect.poll(() => server.openStreams()).toBe(0);
  await server.publish(domain, filter, "unheard");

  await page.getByRole("button", { name: "Show" }).click();
  await expect(page.getByText("live:")).toBeVisible();
  await expect.poll(() => server.openStreams()).toBe(1);
  await server.publish(domain, filter, "two");
  await expect(page.getByText('live: "two"')).toBeVisible();
  expect(await seenBy(page)).toEqual(["one", "two"]);
});
