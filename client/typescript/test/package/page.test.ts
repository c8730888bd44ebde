// The README's page, as it stands there, in a new project of Vite and React.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Server } from "../../../../tests/browser/harness/server.js";
import { PACKAGE, type Project } from "./project.js";
import { CHROMIUM, launch, newViteProject, serve } from "./site.js";

let server: Server;
let browser: Browser;

beforeAll(async () => {
  server = await Server.start({ settings: { "stream.reconnect_spread": '"100ms"', "stream.reload_spread": '"10m"' } });
  if (existsSync(CHROMIUM)) browser = await launch();
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
  return code(programs("README.md")[0]);
}

/** The README's component that loads what it shows. */
function component(): string {
  return code(programs("README.md").find((program) => program.includes("onGap") && program.includes("<ul>")));
}

function code(program: string | undefined): string {
  return (program ?? "").replace(/^```.*\n/gm, "").replace(/```$/, "");
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

/** The component in a page that can take it away. */
const AROUND = `
  import { PokeProvider } from "multicast-poke/react";
  import { createRoot } from "react-dom/client";

  function App() {
    const [isShown, show] = useState(true);
    return (
      <PokeProvider url="POKE_URL">
        <button onClick={() => show(!isShown)}>{isShown ? "Hide" : "Show"}</button>
        {isShown && <Playlist id="7" />}
      </PokeProvider>
    );
  }
  createRoot(document.getElementById("root")!).render(<App />);
`;

describe.skipIf(!existsSync(CHROMIUM))("the README's component that loads what it shows", () => {
  let title = "one";
  let loads = 0;
  let project: Project;
  let site: { url: string; close: () => void };
  let tab: Page;

  beforeAll(async () => {
    project = newViteProject(component() + AROUND.replace("POKE_URL", server.url));
    site = await serve(project.path("dist"), (path) => {
      if (path !== "/playlists/7") return undefined;
      loads += 1;
      return [{ id: "1", title }];
    });
  }, 180_000);
  afterAll(() => {
    site?.close();
    project?.remove();
  });
  beforeEach(async () => {
    title = "one";
    tab = await browser.newPage();
    await tab.clock.install();
  });
  afterEach(() => tab.close());

  const shows = (text: string) => tab.getByText(text, { exact: true }).waitFor({ timeout: 20_000 });

  test("shows it while the service is down, and what has changed meanwhile once that is back", async () => {
    await server.kill();
    await tab.goto(site.url);
    await shows("reconnecting");
    await shows("one");
    title = "two";
    await server.restart();
    await shows("live");
    await shows("two");
    title = "three";
    await server.publish("PLAYLIST", "7", "Updated");
    await shows("three");
  });

  test("loads it again after a gap, unless it has gone meanwhile", async () => {
    await tab.goto(site.url);
    await shows("live");
    await server.publish("PLAYLIST", "7", "Updated");
    await shows("one");
    const restart = async () => {
      await server.kill();
      await shows("reconnecting");
      await server.restart();
      await shows("live");
    };
    title = "two";
    await restart();
    const reloads = async () => {
      await tab.clock.runFor("10:00");
      expect(await tab.getByText("two", { exact: true }).count()).toBe(1);
    };
    await vi.waitFor(reloads, { timeout: 20_000 });

    title = "three";
    await restart();
    const before = loads;
    await tab.getByText("Hide").click();
    await tab.clock.runFor("10:00");
    // Whatever the page had begun to load is there when this is.
    await tab.evaluate(() => fetch("/playlists/7"));
    expect(loads).toBe(before + 1);
  });
});
