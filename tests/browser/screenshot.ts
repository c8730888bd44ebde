// Makes the README's picture of the playlist demo: two real windows, one of which has just added a song.
// Usage: npm run screenshot -w tests/browser
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "@playwright/test";
import { Playlist } from "./harness/playlist.js";
import { Server } from "./harness/server.js";

const FILE = fileURLToPath(new URL("../../demo/playlist/screenshot.png", import.meta.url));
const WINDOW = { width: 560, height: 800 };

const server = await Server.start();
const playlist = await Playlist.start(server.url);
const browser = await chromium.launch({
  executablePath: process.env.POKE_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

const [one, two] = [await open(browser, "light"), await open(browser, "dark")];
await one.getByLabel("Song", { exact: true }).fill("Blue in Green");
await one.getByLabel("Artist").fill("Miles Davis");
await one.getByRole("button", { name: "Add" }).click();
await two.getByText("Somebody added Blue in Green.").waitFor();

const windows = (await Promise.all([one, two].map((page) => page.screenshot()))).map(
  (image) => `<figure><i></i><i></i><i></i><img src="data:image/png;base64,${image.toString("base64")}"></figure>`,
);
const frame = await browser.newPage({ viewport: { width: 2 * WINDOW.width + 96, height: WINDOW.height + 100 } });
await frame.setContent(`<style>
  body { margin: 0; padding: 32px; display: flex; gap: 32px; background: #dfe5df; }
  figure { margin: 0; border-radius: 12px; overflow: hidden; box-shadow: 0 16px 40px -16px #2236; background: #f1efe9; line-height: 0; }
  figure:last-child { background: #262b2e; }
  i { display: inline-block; width: 11px; height: 11px; margin: 12px -4px 12px 14px; border-radius: 50%; background: #8884; }
  img { display: block; width: ${WINDOW.width}px; }
</style>${windows.join("")}`);
await frame.screenshot({ path: FILE });
console.log(FILE);

await browser.close();
await playlist.stop();
await server.stop();

async function open(browser: Browser, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await browser.newPage({ viewport: WINDOW, colorScheme });
  await page.goto(playlist.url);
  await page.getByText("Live.").waitFor();
  return page;
}
