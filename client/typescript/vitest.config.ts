import { fileURLToPath } from "node:url";
import type { Alias } from "vite";
import { defineConfig } from "vitest/config";

/** What programs import, as its sources. */
const sdk: Alias[] = [
  { find: /^multicast-poke$/, replacement: fileURLToPath(new URL("src/index.ts", import.meta.url)) },
  { find: /^multicast-poke\/(.*)$/, replacement: fileURLToPath(new URL("src/$1.ts", import.meta.url)) },
];

/** The node_modules of another React than the one that is installed here, and what the tests render with. */
const folder = process.env.POKE_REACT;
const react: Alias[] = folder
  ? [{ find: /^(react|react-dom|@testing-library\/react)(\/.*)?$/, replacement: `${folder}/$1$2` }]
  : [];

export default defineConfig({
  resolve: { alias: [...sdk, ...react] },
  test: {
    include: ["test/**/*.test.{ts,tsx}", "src/**/*.test.ts"],
    testTimeout: 30_000,
    // More than cores: most of a test is waiting.
    maxWorkers: 4,
  },
});
