import { once } from "node:events";
import { readdirSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PAGES = fileURLToPath(new URL("../pages", import.meta.url));

/**
 * Serves the pages of `pages/`, each script as a page of its name, from another origin than the server's: as an app's
 * own web server does. `/blank` is a page without a script.
 */
export class Site {
  readonly #server: http.Server;

  private constructor(scripts: Map<string, string>) {
    this.#server = http.createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://site").pathname.slice(1);
      const script = scripts.get(path);
      if (script !== undefined) {
        response.writeHead(200, { "content-type": "text/javascript" }).end(script);
      } else if (path === "blank" || scripts.has(`${path}.js`)) {
        const body = path === "blank" ? "" : `<div id="root"></div><script type="module" src="/${path}.js"></script>`;
        const head = `<meta charset="utf-8"><title>${path}</title><link rel="icon" href="data:,">`;
        response.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html><html lang="en">${head}${body}</html>`);
      } else {
        response.writeHead(404).end();
      }
    });
  }

  /** Bundles the pages as an app's build would, and serves them. */
  static async start(): Promise<Site> {
    const entryPoints = readdirSync(PAGES).map((name) => join(PAGES, name));
    const built = await build({ entryPoints, bundle: true, format: "esm", write: false, outdir: "/", logLevel: "error" });
    const site = new Site(new Map(built.outputFiles.map((file) => [basename(file.path), file.text])));
    site.#server.listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    return site;
  }

  /** The URL of a page. Any `host` under `example.test` leads here too, as another origin. */
  page(name: string, host = "127.0.0.1"): string {
    return `${this.origin(host)}/${name}`;
  }

  /** The origin of the pages of a host. */
  origin(host = "127.0.0.1"): string {
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stops serving. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
