import { expect, test } from "../harness/fixtures.js";
import { dataOf, isTold, listen, PLAYLIST, told } from "../harness/listening.js";
import { Network } from "../harness/network.js";

const { domain, filter } = PLAYLIST;

test("after kill -9 and a restart the next poke comes within 15 s, behind a gap", async ({ page, site, server }) => {
  await listen(page, site, server);
  await server.publish(domain, filter, "before");
  await isTold(page, "poke");
  await server.kill();
  await isTold(page, "reconnecting");
  const restarted = Date.now();
  await server.restart();
  await server.publish(domain, filter, "after");
  await isTold(page, "poke", 2, 15_000 - (Date.now() - restarted));
  expect(await dataOf(page)).toEqual(["before", "after"]);
  const events = await page.evaluate(() => window.listener.events().map(({ type }) => type));
  expect(events.lastIndexOf("gap")).toBeGreaterThan(events.indexOf("poke"));
  expect(events.lastIndexOf("gap")).toBeLessThan(events.lastIndexOf("poke"));
  expect((await told(page, "gap"))[0]?.reason).toBe("epoch_changed");
});

test.describe("with heartbeats each second", () => {
  test.use({ settings: { "stream.heartbeat_interval": '"1s"', "stream.reconnect_spread": '"1s"' } });

  test("a network that loses everything is noticed within 2.5 heartbeats, and nothing is missed once it is back", async ({
    page,
    site,
    server,
    stopAtEnd,
  }) => {
    const network = stopAtEnd(await Network.start(server.port));
    await listen(page, site, { url: server.url.replace(/\d+$/, String(network.port)) });
    await server.publish(domain, filter, "before");
    await isTold(page, "poke");

    network.lose();
    const lost = Date.now();
    await isTold(page, "reconnecting");
    // Counted from the last heartbeat, which came at most one interval before.
    expect((await told(page, "reconnecting"))[0]?.at).toBeLessThan(lost + 2_500 + 500);
    await server.publish(domain, filter, "while away");
    network.restore();
    // Chromium calls again on its dead HTTP/2 connection, until its own ping tells it: that takes 10 s, or 20 s.
    await expect.poll(() => dataOf(page), { timeout: 45_000 }).toEqual(["before", "while away"]);
    await server.publish(domain, filter, "after");
    await expect.poll(() => dataOf(page)).toEqual(["before", "while away", "after"]);
    expect(await told(page, "gap")).toEqual([]);
  });

  test("connections that are cut are made anew, without a loss", async ({ page, site, server, stopAtEnd }) => {
    const network = stopAtEnd(await Network.start(server.port));
    await listen(page, site, { url: server.url.replace(/\d+$/, String(network.port)) });
    for (let cut = 1; cut <= 3; cut++) {
      network.cut();
      await server.publish(domain, filter, cut);
      await expect.poll(() => dataOf(page)).toHaveLength(cut);
    }
    expect(await dataOf(page)).toEqual([1, 2, 3]);
    expect(await told(page, "gap")).toEqual([]);
  });

  test("a page that was offline gets what it has missed", async ({ page, context, site, server, stopAtEnd }) => {
    const network = stopAtEnd(await Network.start(server.port));
    await listen(page, site, { url: server.url.replace(/\d+$/, String(network.port)) });
    // Chromium's emulation lets open streams go on, and the network ends them.
    await context.setOffline(true);
    network.cut();
    await isTold(page, "reconnecting");
    await server.publish(domain, filter, "while offline");
    await context.setOffline(false);
    await expect.poll(() => dataOf(page), { timeout: 30_000 }).toEqual(["while offline"]);
    expect(await told(page, "gap")).toEqual([]);
  });
});

test.describe("on connections that age after a second", () => {
  test.use({ settings: { "stream.max_age": '"1s"', "stream.move_timeout": '"5s"' } });

  test("streams move and calls succeed, the first one after GOAWAY too", async ({ page, site, server }) => {
    await listen(page, site, server);
    const url = server.url;
    for (let sent = 0; sent < 30; sent++) {
      await page.evaluate(({ url, domain, filter, data }) => window.listener.client(url).publish({ domain, filter, data }), {
        url,
        ...PLAYLIST,
        data: sent,
      });
      await page.waitForTimeout(200);
    }
    await expect.poll(() => dataOf(page)).toEqual(Array.from({ length: 30 }, (_, index) => index));
    expect(await server.metric("poke_streams_opened_total")).toBeGreaterThan(2);
    expect(await told(page, "reconnecting")).toEqual([]);
    expect(await told(page, "gap")).toEqual([]);
  });
});

test("a successor that takes over loses no poke of its own, and the old one ends with 0", async ({
  page,
  site,
  startServer,
}) => {
  const old = await startServer({ settings: { "drain.window": '"1s"', "drain.deadline": '"5s"' } });
  await listen(page, site, old);
  old.drain();
  expect(await old.exited()).toBe(0);
  await old.restart();
  await old.publish(domain, filter, "from the successor");
  await expect.poll(() => dataOf(page), { timeout: 20_000 }).toEqual(["from the successor"]);
});
