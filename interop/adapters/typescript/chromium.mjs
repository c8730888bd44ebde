// Runs the adapter in a page of headless Chromium: chromium.mjs SCRIPT. The page's origin isn't the server's, as an app's isn't.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

// Chromium's own calls home would only be refused on a machine without the network.
const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"];
const args = ["--no-sandbox", "--disable-gpu", ...quiet];

const page = "<!doctype html><title>interop</title><body>";
const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(page));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await chromium.launch({ executablePath: process.env.POKE_CHROMIUM ?? "/usr/bin/chromium", args });
const tab = await browser.newPage();
tab.on("console", (message) => console.error(message.text()));
tab.on("pageerror", (error) => console.error(error));
await tab.exposeFunction("sayLine", (line) => process.stdout.write(`${line}\n`));
await tab.goto(`http://127.0.0.1:${server.address().port}/`);
await tab.addScriptTag({ content: readFileSync(process.argv[2], "utf8") });

const lines = createInterface(process.stdin);
lines.on("line", (line) => tab.evaluate((line) => void globalThis.takeLine(line), line));
lines.on("close", async () => {
  await browser.close();
  process.exit(0);
});
