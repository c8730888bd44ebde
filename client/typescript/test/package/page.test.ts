// The README's page, as it stands there, in a new project of Vite and React.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { PACKAGE, Project, pinned } from "./project.js";

const CHROMIUM = process.env.POKE_CHROMIUM ?? "/usr/bin/chromium";
/** Without what a closed network refuses. */
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];

let server: Server;
let browser: Browser;

beforeAll(async () => {
  server = await Server.start();
  if (existsSync(CHROMIUM)) browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
});
afterAll(async () => {
  await browser?.close();
  await server.stop();
});

/** The programs of the SDK's that a README shows. */
function programs(readme: string): string[] {
  return readFileSync(join(PACKAGE, readme), "utf8").match(/^```tsx?\n[\s\S]*?^```/gm) ?? [];
}

/** The page: the README's first program. */
function page(): string {
  return (programs("README.md")[0] ?? "").replace(/^```.*\n/gm, "").replace(/```$/, "");
}

test("the first README shows programs of the SDK's, which are compiled there", () => {
  expect(programs("../../README.md").length).toBeGreaterThan(1);
  expect(programs("README.md")).toEqual(expect.arrayContaining(programs("../../README.md")));
});

test("the README's page has ten lines at most", () => {
  const code = page();
  const lines = code.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(10);
  // Nothing is hidden in long lines.
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
  console.log(`figure: the first poke in a page of React takes ${lines.length} lines`);
});

test.skipIf(!existsSync(CHROMIUM))(
  "it shows a poke in Chromium",
  async () => {
    const code = page();
    expect(code).toContain('"http://127.0.0.1:8080"');
    const project = newViteProject(code.replace("http://127.0.0.1:8080", server.url));
    const site = await serve(project.path("dist"));
    const tab = await browser.newPage();
    const complaints: string[] = [];
    tab.on("pageerror", (error) => complaints.push(String(error)));
    try {
      await tab.goto(site.url);
      await vi.waitFor(async () => expect(await server.openStreams()).toBe(1), { timeout: 20_000 });
      await server.publish("PLAYLIST", "playlist-id", "Updated");
      await tab.getByText("Updated").waitFor({ timeout: 20_000 });
      expect(complaints).toEqual([]);
      await tab.close();
      await vi.waitFor(async () => expect(await server.openStreams()).toBe(0), { timeout: 20_000 });
    } finally {
      site.close();
      project.remove();
    }
  },
  180_000,
);

/** What `npm create vite -- --template react-ts` makes, with this as its main.tsx; checked and built. */
function newViteProject(main: string): Project {
  const project = Project.install(
    pinned("react", "react-dom", "@types/react", "@types/react-dom", "typescript", "vite", "@vitejs/plugin-react"),
  );
  project.write(
    "index.html",
    `<!doctype html><html lang="en"><head><meta charset="UTF-8" /><title>page</title></head>
    <body><div id="root"></div><script type="module" src="/src/main.tsx"></script></body></html>`,
  );
  project.write("vite.config.ts", `import react from "@vitejs/plugin-react"; export default { plugins: [react()] };`);
  const options = {
    target: "ES2023",
    module: "ESNext",
    moduleResolution: "bundler",
    jsx: "react-jsx",
    strict: true,
    noEmit: true,
  };
  project.write(
    "tsconfig.json",
    JSON.stringify({ compilerOptions: { ...options, types: ["vite/client"] }, include: ["src"] }),
  );
  project.write("src/main.tsx", main);
  project.run("tsc");
  project.run("vite", "build");
  return project;
}

/** Serves a folder of built files, as any web server does. */
async function serve(folder: string): Promise<{ url: string; close: () => void }> {
  const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
  const site = createServer((request, response) => {
    const file = join(folder, request.url === "/" ? "index.html" : (request.url ?? ""));
    if (!existsSync(file)) return response.writeHead(404).end();
    return response.writeHead(200, { "content-type": types[extname(file)] ?? "text/plain" }).end(readFileSync(file));
  });
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${(site.address() as AddressInfo).port}/`, close: () => site.close() };
}
