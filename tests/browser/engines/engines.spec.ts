import { ENGINES, type Engine, type Tab } from "../harness/engines.js";
import { test as base, expect } from "../harness/fixtures.js";
import { isTold, listen, PLAYLIST, told } from "../harness/listening.js";
import { Playlist } from "../harness/playlist.js";

const { domain, filter } = PLAYLIST;

for (const [name, { isInstalled, start }] of Object.entries(ENGINES)) {
  const test = base.extend<{ tab: Tab }, { engine: Engine }>({
    engine: [
      // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the needed fixtures from it
      async ({}, use) => {
        const engine = await start();
        await use(engine);
        await engine.close();
      },
      { scope: "worker", timeout: 60_000 },
    ],
    tab: async ({ engine }, use) => {
      const tab = await engine.newTab();
      await use(tab);
      await tab.close().catch(() => {});
    },
  });

  for (const tls of [false, true]) {
    test.describe(`${name}, ${tls ? "HTTP/2 over TLS" : "HTTP/1.1"}`, () => {
      test.skip(!isInstalled(), `${name} isn't installed`);
      // WebKit's GTK port doesn't tell a page that its HTTP/2 connection has ended: there it is the silence that does.
      test.use({ tls, settings: { "stream.reconnect_spread": '"1s"', "stream.heartbeat_interval": '"1s"' } });

      test("a page gets each poke at once, as it was sent, and can publish", async ({ tab, site, server }) => {
        await listen(tab, site, server);
        const sent = [undefined, null, "", "Updated", { added: ["track-7"], by: null, at: 1.5 }];
        for (const [index, data] of sent.entries()) {
          await server.publish(domain, filter, data);
          await isTold(tab, "poke", index + 1, 2_000);
        }
        const publish = ({ url, domain, filter }: { url: string; domain: string; filter: string }) =>
          window.listener.client(url).publish({ domain, filter, data: "mine" });
        expect(await tab.evaluate(publish, { url: server.url, ...PLAYLIST })).toMatchObject({ localReceiverCount: 1 });
        await isTold(tab, "poke", sent.length + 1);
        const heard = await tab.evaluate(() => {
          const pokes = window.listener.events().filter((event) => event.type === "poke");
          return pokes.map(({ data }) => (data === undefined ? "nothing" : { data }));
        }, undefined);
        expect(heard).toEqual([...sent, "mine"].map((data) => (data === undefined ? "nothing" : { data })));
        expect(await told(tab, "gap")).toEqual([]);
      });

      test("after kill -9 and a restart the next poke comes within 15 s, behind a gap", async ({ tab, site, server }) => {
        await listen(tab, site, server);
        await server.kill();
        await isTold(tab, "reconnecting");
        await server.restart();
        await server.publish(domain, filter, "after");
        await isTold(tab, "poke", 1, 15_000);
        expect((await told(tab, "gap"))[0]?.reason).toBe("epoch_changed");
      });

      test("leaving a loop cancels the call, and a page that goes ends its stream", async ({ tab, site, server }) => {
        await listen(tab, site, server);
        await tab.evaluate(() => window.listener.stop(), undefined);
        await expect.poll(() => server.openStreams()).toBe(0);
        const loop = tab.evaluate(({ url, interest }) => window.listener.loop(url, interest, 1), {
          url: server.url,
          interest: PLAYLIST,
        });
        await expect.poll(() => server.openStreams()).toBe(1);
        await server.publish(domain, filter, "one");
        expect(await loop).toEqual(["one"]);
        await expect.poll(() => server.openStreams()).toBe(0);

        await listen(tab, site, server);
        await tab.goto(site.page("blank"));
        await expect.poll(() => server.openStreams()).toBe(0);
      });
    });
  }

  test(`${name} shows the playlist demo, and somebody else's edit`, async ({ tab, server, stopAtEnd }) => {
    test.skip(!isInstalled(), `${name} isn't installed`);
    const playlist = stopAtEnd(await Playlist.start(server.url));
    await tab.goto(playlist.url);
    const shown = () => tab.evaluate(() => document.querySelector("main")?.textContent ?? "", undefined);
    await expect.poll(shown).toContain("Live.");
    await playlist.edit({ type: "rename", id: "by-somebody", name: "Monday morning" });
    await expect.poll(shown).toContain("Somebody named the playlist Monday morning.");
  });
}
