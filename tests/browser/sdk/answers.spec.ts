import { expect, test } from "../harness/fixtures.js";
import { dataOf, isTold, listen, PLAYLIST, told } from "../harness/listening.js";

const { domain, filter } = PLAYLIST;

test("the largest poke arrives, one byte more is refused with a reason that the page can read", async ({
  page,
  site,
  server,
}) => {
  await listen(page, site, server);
  const publish = (bytes: number) =>
    page.evaluate(
      async ({ url, domain, filter, bytes }) => {
        const client = window.listener.client(url);
        const names = 2 + domain.length + 2 + filter.length;
        let size = bytes - names;
        while (names + window.listener.encodedSize("x".repeat(size)) > bytes) size--;
        return window.listener.failureOf(() => client.publish({ domain, filter, data: "x".repeat(size) }));
      },
      { url: server.url, domain, filter, bytes },
    );
  expect(await publish(131_072)).toEqual({});
  await isTold(page, "poke");
  expect((await publish(131_073)).code).toBe("RESOURCE_EXHAUSTED");
  const [largest] = await dataOf(page);
  expect(String(largest).length).toBeGreaterThan(131_000);
});

test("an interest that has ended says so to who listens and who comes late, and its stream closes", async ({
  page,
  site,
  server,
}) => {
  await listen(page, site, server);
  await page.evaluate(
    ({ url, domain, filter }) => window.listener.client(url).endInterest({ domain, filter, data: "goodbye" }),
    {
      url: server.url,
      ...PLAYLIST,
    },
  );
  await isTold(page, "ended");
  expect((await told(page, "ended"))[0]?.data).toBe("goodbye");
  await expect.poll(() => server.openStreams()).toBe(0);

  await page.evaluate(({ url, interest }) => window.listener.listen(url, [interest], {}, "late"), {
    url: server.url,
    interest: PLAYLIST,
  });
  await expect.poll(() => told(page, "ended", "late").then((ends) => ends[0]?.data)).toBe("goodbye");
});

test("two hundred pokes in a row arrive, each once and in order", async ({ page, site, server }) => {
  await listen(page, site, server);
  await page.evaluate(
    async ({ url, domain, filter }) => {
      const client = window.listener.client(url);
      for (let data = 0; data < 200; data++) await client.publish({ domain, filter, data });
    },
    { url: server.url, ...PLAYLIST },
  );
  await isTold(page, "poke", 200);
  expect(await dataOf(page)).toEqual(Array.from({ length: 200 }, (_, index) => index));
  expect(await told(page, "gap")).toEqual([]);
});

test.describe("where a domain asks for a key", () => {
  // Made by `poke-server key new`.
  const KEY = "poke_ILlc6vJoZhqckAMWn_Wa1jeMtFq7NX3za73rOIgVrJ4";
  test.use({
    settings: {
      "keys.service": '"sha256:ffc55d17548c4f75413207257c4f15feb2017d7cb8dafc4945d40f16da428c6b"',
      "domains.PLAYLIST.subscribers": '"authenticated"',
      "domains.PLAYLIST.publishers": '[{ key = "service" }]',
    },
  });

  test("a page with the key listens and publishes, one without is told why not", async ({ page, context, site, server }) => {
    await listen(page, site, server, {}, KEY);
    const publish = ({ url, domain, filter }: { url: string; domain: string; filter: string }) =>
      window.listener.failureOf(() => window.listener.client(url).publish({ domain, filter, data: "with a key" }));
    expect(await page.evaluate(publish, { url: server.url, ...PLAYLIST })).toEqual({});
    await isTold(page, "poke");

    const stranger = await context.newPage();
    await stranger.goto(site.page("listener"));
    expect(await stranger.evaluate(publish, { url: server.url, ...PLAYLIST })).toMatchObject({
      code: "UNAUTHENTICATED",
      reason: "CREDENTIALS_REQUIRED",
    });
    await stranger.evaluate(
      ({ url, interest }) => window.listener.listen(url, [interest, { domain: "OPEN", filter: "1" }]),
      {
        url: server.url,
        interest: PLAYLIST,
      },
    );
    await isTold(stranger, "rejected");
    expect((await told(stranger, "rejected"))[0]).toMatchObject({
      interest: PLAYLIST,
      code: "UNAUTHENTICATED",
      isFinal: true,
    });
    await isTold(stranger, "live");
    await server.publish("OPEN", "1", "the other interest goes on");
    await isTold(stranger, "poke");
  });
});
