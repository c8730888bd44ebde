import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

/**
 * Puts script and style into the page, so that the server has one file to serve. Our own, since the plugins that do it
 * bring rollup beside the bundler that Vite has.
 */
function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_, bundle) {
      const page = bundle["index.html"];
      if (page?.type !== "asset") throw new Error("there is no page");
      let html = String(page.source);
      for (const [name, file] of Object.entries(bundle)) {
        if (file.type === "chunk") {
          // What would end the script early.
          const script = file.code.replaceAll("</script", "<\\/script").trim();
          html = html
            .replace(/<script[^>]*><\/script>\s*/, "")
            .replace("</body>", () => `<script type="module">${script}</script></body>`);
        } else if (name.endsWith(".css")) {
          html = html.replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${String(file.source).trim()}</style>`);
        } else continue;
        delete bundle[name];
      }
      page.source = `${html.trim()}\n`;
    },
  };
}

/** A server in development mode, for `npm run dev`. */
const server = "http://127.0.0.1:8080";

const sdk = fileURLToPath(new URL("../typescript/src", import.meta.url));

export default defineConfig({
  // The SDK as it stands in this repository: what was built of it may be older.
  resolve: {
    alias: [
      { find: /^multicast-poke$/, replacement: `${sdk}/index.ts` },
      { find: /^multicast-poke\/(.*)$/, replacement: `${sdk}/$1.ts` },
    ],
  },
  plugins: [oneFile()],
  build: {
    outDir: "../../server/src/console",
    // The server's own code lies there.
    emptyOutDir: false,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: Number.POSITIVE_INFINITY,
  },
  server: { proxy: { "/poke.v1.PokeService": server, "/console/status": server, "/console/settings": server } },
});
