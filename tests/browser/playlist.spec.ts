import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { test as base, expect } from "./harness/fixtures.js";
import { Playlist } from "./harness/playlist.js";

const SONGS = ["So What", "Take Five", "Feeling Good", "Harvest Moon", "Golden Brown", "Corcovado"];

/** Two windows of two people on one playlist. */
const test = base.extend<{ playlist: Playlist; one: Page; two: Page }>({
  playlist: async ({ server, stopAtEnd }, use) => use(stopAtEnd(await Playlist.start(server.url))),
  one: async ({ browser, playlist }, use) => {
    const context = await browser.newContext();
    await use(await open(await context.newPage(), playlist));
    await context.close();
  },
  two: async ({ browser, playlist }, use) => {
    const context = await browser.newContext();
    await use(await open(await context.newPage(), playlist));
    await context.close();
  },
});

test.use({ settings: { "stream.reconnect_spread": '"1s"', "stream.reload_spread": '"1s"' } });

async function open(page: Page, playlist: Playlist): Promise<Page> {
  await page.goto(playlist.url);
  await isLive(page);
  return page;
}

const isLive = (page: Page) =>
  expect(page.getByRole("status").filter({ hasText: "Live." })).toBeVisible({ timeout: 30_000 });

const shows = (page: Page, songs: string[]) => expect(page.locator("ol .title")).toHaveText(songs);

async function add(page: Page, song: string): Promise<void> {
  await page.getByLabel("Song", { exact: true }).fill(song);
  await page.getByLabel("Artist").fill("Somebody");
  // By the keyboard: a song that arrives meanwhile moves the button away between press and release.
  await page.getByLabel("Artist").press("Enter");
}

test("edits of each kind cross in both directions", async ({ one, two }) => {
  await shows(one, SONGS);
  await one.getByLabel("Song", { exact: true }).fill("Blue in Green");
  await one.getByLabel("Artist").fill("Somebody");
  await one.getByRole("button", { name: "Add" }).click();
  await shows(two, [...SONGS, "Blue in Green"]);
  await expect(two.getByText("Somebody added Blue in Green.")).toBeVisible();

  await two.getByRole("button", { name: "Remove So What" }).click();
  await shows(one, [...SONGS.slice(1), "Blue in Green"]);
  await expect(two.getByRole("button", { name: "Remove Take Five" })).toBeFocused();

  await one.getByLabel("Playlist name").fill("Monday morning");
  await one.getByLabel("Playlist name").press("Enter");
  await expect(two.getByLabel("Playlist name")).toHaveValue("Monday morning");
  await expect(two).toHaveTitle("Monday morning");
});

test("songs are moved by mouse and by keyboard", async ({ one, two }) => {
  const grip = (page: Page, song: string) => page.getByRole("button", { name: `Move ${song}`, exact: true });
  await grip(one, "So What").dragTo(one.getByText("Feeling Good"), { steps: 10 });
  const moved = ["Take Five", "Feeling Good", "So What", ...SONGS.slice(3)];
  for (const page of [one, two]) await shows(page, moved);

  await grip(two, "Corcovado").press("Space");
  await expect(two.getByText("Corcovado is at place 6 of 6.")).toBeAttached();
  await two.keyboard.press("ArrowUp");
  await expect(two.getByText("Corcovado is at place 5 of 6.")).toBeAttached();
  await two.keyboard.press("Space");
  for (const page of [one, two]) await shows(page, [...moved.slice(0, 4), "Corcovado", "Golden Brown"]);
  await expect(grip(two, "Corcovado")).toBeFocused();
});

test("edits at the same time lead both windows to the same songs", async ({ one, two }) => {
  for (const round of [1, 2, 3]) await Promise.all([add(one, `One ${round}`), add(two, `Two ${round}`)]);
  await expect(one.locator("ol .title")).toHaveCount(SONGS.length + 6);
  await expect(two.locator("ol .title")).toHaveCount(SONGS.length + 6);
  await expect
    .poll(async () => (await two.locator("ol .title").allTextContents()).join())
    .toBe((await one.locator("ol .title").allTextContents()).join());
});

test("a reload shows what is stored, and is live", async ({ one, two }) => {
  await add(one, "Blue in Green");
  await shows(two, [...SONGS, "Blue in Green"]);
  await two.reload();
  await isLive(two);
  await shows(two, [...SONGS, "Blue in Green"]);
  await add(one, "Freddie Freeloader");
  await shows(two, [...SONGS, "Blue in Green", "Freddie Freeloader"]);
});

test("offline says so, keeps edits, and catches up when it is back", async ({ one, two }) => {
  await one.context().setOffline(true);
  await expect(one.getByRole("status").filter({ hasText: "Offline." })).toBeVisible();
  await add(one, "Written offline");
  await shows(one, [...SONGS, "Written offline"]);
  await expect(one.getByText("1 change waits to be saved")).toBeVisible();
  await two.getByRole("button", { name: "Remove So What" }).click();

  await one.context().setOffline(false);
  await isLive(one);
  for (const page of [one, two]) await shows(page, [...SONGS.slice(1), "Written offline"]);
});

test("kill -9 of the poke server: edits go on, and both windows agree again after its restart", async ({
  server,
  one,
  two,
}) => {
  await server.kill();
  for (const page of [one, two]) await expect(page.getByRole("status").filter({ hasText: "Reconnecting…" })).toBeVisible();
  await add(one, "Meanwhile");
  await two.getByRole("button", { name: "Remove So What" }).click();
  await expect(two.getByText("So What")).toBeHidden();

  await server.restart();
  for (const page of [one, two]) {
    await isLive(page);
    await expect(page.locator("ol .title")).toHaveText([...SONGS.slice(1), "Meanwhile"], { timeout: 30_000 });
  }
  await add(two, "Afterwards");
  await shows(one, [...SONGS.slice(1), "Meanwhile", "Afterwards"]);
});

test("kill -9 of the back end: nothing that was stored is lost, what wasn't is sent again", async ({
  playlist,
  one,
  two,
}) => {
  await add(one, "Stored");
  await shows(two, [...SONGS, "Stored"]);
  await playlist.kill();
  await add(one, "Not stored yet");
  await expect(one.getByText("1 change waits to be saved")).toBeVisible();
  await playlist.restart();
  await shows(two, [...SONGS, "Stored", "Not stored yet"]);
  await expect(one.getByText("to be saved")).toBeHidden();
});

test("an edit that is refused is taken back, and says why", async ({ playlist, one }) => {
  for (let song = SONGS.length; song < 200; song++) {
    const track = { id: `song-${song + 1}`, title: `Song ${song + 1}`, artist: "Somebody" };
    await playlist.edit({ type: "add", id: `edit-${song}`, track, after: null });
  }
  await expect(one.locator("ol .title")).toHaveCount(200);
  await add(one, "One too many");
  await expect(one.getByRole("alert")).toHaveText("Your last change was taken back: a playlist has at most 200 songs.");
  await expect(one.getByRole("alert")).toBeInViewport();
  await expect(one.locator("ol .title")).toHaveCount(200);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`it is accessible, on a phone too, ${colorScheme}`, async ({ one }) => {
    await one.emulateMedia({ colorScheme });
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 360, height: 640 },
    ]) {
      await one.setViewportSize(viewport);
      const { violations } = await new AxeBuilder({ page: one }).analyze();
      expect(violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) }))).toEqual([]);
      expect(await one.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
    }
  });
}
