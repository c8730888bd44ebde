// A page as somebody makes it who installs the package: built by Vite, and served by any web server.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { Project, pinned } from "./project.js";

export const CHROMIUM = process.env.POKE_CHROMIUM ?? "/usr/bin/chromium";
/** Without what a closed network refuses. */
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
}

/** What `npm create vite -- --template react-ts` makes, with this as its main.tsx; checked and built. */
export function newViteProject(main: string): Project {
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

/** What a path of a {@link serve}d site answers besides its files: JSON. */
export type Answers = (path: string) => unknown;

/** Serves a folder of built files, as any web server does, and JSON where there is no file. */
export async function serve(
  folder: string,
  answers: Answers = () => undefined,
): Promise<{ url: string; close: () => void }> {
  const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
  const site = createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : (request.url ?? "");
    const file = join(folder, path);
    if (existsSync(file)) {
      return response.writeHead(200, { "content-type": types[extname(file)] ?? "text/plain" }).end(readFileSync(file));
    }
    const answer = answers(path);
    const headers = { "content-type": "application/json" };
    return response.writeHead(answer === undefined ? 404 : 200, headers).end(JSON.stringify(answer));
  });
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${(site.address() as AddressInfo).port}/`, close: () => site.close() };
}
