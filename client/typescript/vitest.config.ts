import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (name: string) => fileURLToPath(new URL(`src/${name}.ts`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^multicast-poke$/, replacement: source("index") },
      { find: /^multicast-poke\/(web|node|react)$/, replacement: fileURLToPath(new URL("src/$1.ts", import.meta.url)) },
    ],
  },
  test: { include: ["test/**/*.test.{ts,tsx}", "src/**/*.test.ts"], testTimeout: 30_000 },
});
