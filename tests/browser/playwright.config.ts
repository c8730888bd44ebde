import { defineConfig } from "@playwright/test";
import type { Options } from "./harness/fixtures.js";

// The folder of one run: results of failed tests, and what the suite counts.
const results = process.env.POKE_BROWSER_RESULTS ?? "/tmp/poke-browser";

export default defineConfig<Options>({
  outputDir: `${results}/artifacts`,
  reporter: [["list"], ["junit", { outputFile: `${results}/junit.xml` }]],
  fullyParallel: true,
  // Two cores; most of a test is waiting.
  workers: 4,
  forbidOnly: !!process.env.CI,
  // Twice what the slowest takes while both cores are busy with something else.
  timeout: 120_000,
  expect: { timeout: 15_000 },
  use: {
    ignoreHTTPSErrors: true,
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.POKE_CHROMIUM ?? "/usr/bin/chromium",
      // Playwright's own flags switch the back/forward cache off; users have it.
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Names for pages of other origins.
        "--host-resolver-rules=MAP *.example.test 127.0.0.1",
      ],
    },
  },
  projects: [
    // What a page does with the SDK, over both ways in which a browser reaches a server.
    { name: "HTTP/1.1", testDir: "sdk", use: { tls: false } },
    { name: "HTTP/2 over TLS", testDir: "sdk", use: { tls: true } },
    // The same SDK in the engines of other browsers.
    { name: "engines", testDir: "engines" },
    // Whole pages: the console, the demo.
    { name: "pages", testMatch: /browser\/[^/]+\.spec\.ts$/, use: { tls: false } },
  ],
});
