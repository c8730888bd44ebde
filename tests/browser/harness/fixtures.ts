import { test as base } from "@playwright/test";
import { Server, type ServerOptions } from "./server.js";
import { Site } from "./site.js";

export { expect } from "@playwright/test";

/** What a project, or `test.use`, chooses. */
export interface Options {
  /** Whether servers speak TLS, which gives a browser HTTP/2; in clear text they speak HTTP/1.1. */
  tls: boolean;
  /** Settings of `server`: see {@link ServerOptions}. */
  settings: NonNullable<ServerOptions["settings"]>;
}

interface Fixtures {
  /** Takes something that the test has started, and stops it when the test is over, failed or not. */
  stopAtEnd: <T extends { stop(): Promise<void> }>(started: T) => T;
  /** Starts a server that lives as long as the test. `tls` is the project's unless it is given. */
  startServer: (options?: ServerOptions) => Promise<Server>;
  /** A server for this test alone. */
  server: Server;
}

/** Playwright's `test` with real servers for each test, and with pages of another origin. */
export const test = base.extend<Options & Fixtures, { site: Site }>({
  tls: [false, { option: true }],
  settings: [{}, { option: true }],
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the needed fixtures from it
  stopAtEnd: async ({}, use) => {
    const started: { stop(): Promise<void> }[] = [];
    await use((one) => {
      started.push(one);
      return one;
    });
    const stopped = await Promise.allSettled(started.map((one) => one.stop()));
    for (const one of stopped) if (one.status === "rejected") throw one.reason;
  },
  startServer: async ({ tls, stopAtEnd }, use, testInfo) => {
    const servers: Server[] = [];
    await use(async (options = {}) => {
      const server = stopAtEnd(await Server.start({ tls, ...options }));
      servers.push(server);
      return server;
    });
    if (testInfo.status === testInfo.expectedStatus) return;
    for (const { log } of servers) console.log(log.slice(-40).join("\n"));
  },
  server: async ({ startServer, settings }, use) => use(await startServer({ settings })),
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the needed fixtures from it
    async ({}, use) => {
      const site = await Site.start();
      await use(site);
      await site.stop();
    },
    { scope: "worker" },
  ],
});
