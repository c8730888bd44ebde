import { expect, test } from "../harness/fixtures.js";
import { dataOf, isTold, listen, PLAYLIST } from "../harness/listening.js";

const { domain, filter } = PLAYLIST;

test("eight tabs are live and can publish over HTTP/2; over HTTP/1.1 six are, and the rest wait", async ({
  context,
  site,
  server,
  tls,
}) => {
  const tabs = await Promise.all(Array.from({ length: 8 }, () => context.newPage()));
  const live = tls ? tabs : tabs.slice(0, 6);
  for (const tab of live) await listen(tab, site, server);

  const [first] = tabs;
  if (!first) throw new Error("there are tabs");
  if (tls) {
    const publish = ({ url, domain, filter }: { url: string; domain: string; filter: string }) =>
      window.listener.client(url).publish({ domain, filter, data: "to all" });
    await first.evaluate(publish, { url: server.url, ...PLAYLIST });
  } else {
    // The browser's limit of six connections to a host: a seventh tab isn't live before another goes.
    const seventh = tabs[6];
    if (!seventh) throw new Error("there is a seventh");
    await seventh.goto(site.page("listener"));
    await seventh.evaluate(({ url, interest }) => window.listener.listen(url, [interest]), {
      url: server.url,
      interest: PLAYLIST,
    });
    await seventh.waitForTimeout(2_000);
    expect(await server.openStreams()).toBe(6);
    await live.pop()?.close();
    await isTold(seventh, "live");
    live.push(seventh);
    await server.publish(domain, filter, "to all");
  }
  for (const tab of live) await expect.poll(() => dataOf(tab)).toEqual(["to all"]);
});

test("a page with many interests uses one stream", async ({ page, site, server }) => {
  await page.goto(site.page("listener"));
  await page.evaluate(
    ({ url, domain }) => {
      for (let index = 0; index < 40; index++)
        window.listener.listen(url, [{ domain, filter: `playlist-${index}` }], {}, `component-${index}`);
    },
    { url: server.url, domain },
  );
  for (const index of [0, 39]) {
    await expect
      .poll(() =>
        page.evaluate((name) => window.listener.events(name).some(({ type }) => type === "live"), `component-${index}`),
      )
      .toBe(true);
    await server.publish(domain, `playlist-${index}`, index);
    await expect.poll(() => dataOf(page, `component-${index}`)).toEqual([index]);
  }
  // For a moment there are two: the new one is live before the old one goes.
  await expect.poll(() => server.openStreams()).toBe(1);
});
