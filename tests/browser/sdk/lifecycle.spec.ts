import type { CDPSession, Page } from "@playwright/test";
import { expect, test } from "../harness/fixtures.js";
import { dataOf, listen, PLAYLIST, told } from "../harness/listening.js";

const { domain, filter } = PLAYLIST;

test.use({ settings: { "stream.heartbeat_interval": '"1s"', "stream.reconnect_spread": '"1s"' } });

async function setState(page: Page, state: "frozen" | "active"): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state });
  return session;
}

test("a page that was frozen catches up when it wakes", async ({ page, site, server }) => {
  await listen(page, site, server);
  await server.publish(domain, filter, "before");
  await expect.poll(() => dataOf(page)).toEqual(["before"]);
  await setState(page, "frozen");
  await page.waitForTimeout(4_000);
  await server.publish(domain, filter, "while frozen");
  await setState(page, "active");
  await expect.poll(() => dataOf(page)).toEqual(["before", "while frozen"]);
  await server.publish(domain, filter, "after");
  await expect.poll(() => dataOf(page)).toEqual(["before", "while frozen", "after"]);
  expect(await told(page, "gap")).toEqual([]);
});

test("a page that nobody sees stays live", async ({ page, context, site, server }) => {
  await listen(page, site, server);
  const front = await context.newPage();
  await front.goto(site.page("blank"));
  await front.bringToFront();
  await server.publish(domain, filter, "hidden");
  await expect.poll(() => dataOf(page)).toEqual(["hidden"]);
  await page.bringToFront();
  await server.publish(domain, filter, "seen");
  await expect.poll(() => dataOf(page)).toEqual(["hidden", "seen"]);
});

test("a page that comes back from the back/forward cache, or anew, is live again", async ({ page, site, server }) => {
  await listen(page, site, server, { latest: true });
  await page.evaluate(() => {
    window.addEventListener("pageshow", ({ persisted }) => Object.assign(window, { persisted }));
  });
  await page.goto(site.page("blank"));
  await server.publish(domain, filter, "while away");
  await page.goBack({ waitUntil: "commit" });
  const kept = await page.evaluate(() => (window as { persisted?: boolean }).persisted);
  test.info().annotations.push({ type: "from the cache", description: String(kept) });
  if (!kept) await listen(page, site, server, { latest: true });
  await expect.poll(() => dataOf(page), { timeout: 30_000 }).toEqual(["while away"]);
});
