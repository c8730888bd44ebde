import { expect, test } from "../harness/fixtures.js";
import { dataOf, isTold, listen, PLAYLIST, told } from "../harness/listening.js";

const { domain, filter } = PLAYLIST;

test("a page gets each poke, in order, as it was sent", async ({ page, site, server }) => {
  await listen(page, site, server);
  const sent = [undefined, null, "", "Updated", { added: ["track-7"], by: null, at: 1.5 }];
  for (const data of sent) await server.publish(domain, filter, data);
  await isTold(page, "poke", sent.length);
  expect(await dataOf(page)).toEqual(sent);
  expect(await told(page, "gap")).toEqual([]);
});

test("a page can publish, and hears itself once", async ({ page, site, server }) => {
  await listen(page, site, server);
  const published = await page.evaluate(
    ({ url, domain, filter }) => window.listener.client(url).publish({ domain, filter, data: "mine" }),
    {
      url: server.url,
      ...PLAYLIST,
    },
  );
  expect(published).toMatchObject({ duplicate: false, localReceiverCount: 1 });
  await server.publish(domain, filter, "the next");
  await isTold(page, "poke", 2);
  expect(await dataOf(page)).toEqual(["mine", "the next"]);
});

test("two components with one interest share a stream, and one that leaves takes nothing from the other", async ({
  page,
  site,
  server,
}) => {
  await listen(page, site, server);
  await page.evaluate(({ url, interest }) => window.listener.listen(url, [interest], {}, "other"), {
    url: server.url,
    interest: PLAYLIST,
  });
  await expect.poll(() => told(page, "live", "other").then(({ length }) => length)).toBe(1);
  await server.publish(domain, filter, 1);
  for (const component of ["component", "other"]) await expect.poll(() => dataOf(page, component)).toEqual([1]);
  expect(await server.openStreams()).toBe(1);

  await page.evaluate(() => window.listener.stop("other"));
  await server.publish(domain, filter, 2);
  await expect.poll(() => dataOf(page)).toEqual([1, 2]);
  expect(await dataOf(page, "other")).toEqual([1]);
  expect(await server.openStreams()).toBe(1);
  expect(await server.metric("poke_streams_opened_total")).toBe(1);

  await page.evaluate(() => window.listener.stop());
  await expect.poll(() => server.openStreams()).toBe(0);
});

test("leaving a loop cancels the call, as the server sees it", async ({ page, site, server }) => {
  await page.goto(site.page("listener"));
  const loop = page.evaluate(({ url, interest }) => window.listener.loop(url, interest, 2), {
    url: server.url,
    interest: PLAYLIST,
  });
  await expect.poll(() => server.openStreams()).toBe(1);
  await server.publish(domain, filter, "one");
  await server.publish(domain, filter, "two");
  expect(await loop).toEqual(["one", "two"]);
  await expect.poll(() => server.openStreams()).toBe(0);
});

test("a page that goes ends its stream", async ({ page, site, server }) => {
  await listen(page, site, server);
  await page.close();
  await expect.poll(() => server.openStreams()).toBe(0);
});

test("positions survive JSON, and a new page goes on from them", async ({ page, site, server }) => {
  await listen(page, site, server);
  await server.publish(domain, filter, "seen");
  await isTold(page, "poke");
  const saved = await page.evaluate((url) => JSON.stringify(window.listener.client(url).positions()), server.url);
  expect(JSON.parse(saved)).toEqual([
    { domain, filter, position: { epoch: expect.any(String), sequence: expect.stringMatching(/^\d+$/) } },
  ]);
  await page.goto("about:blank");
  await server.publish(domain, filter, "missed");
  await listen(page, site, server, { positions: JSON.parse(saved) });
  await isTold(page, "poke");
  expect(await dataOf(page)).toEqual(["missed"]);
  expect((await told(page, "live"))[0]?.outcome).toBe("recovered");
});

test("data that JSON can't hold is refused where it is, before anything is sent", async ({ page, site, server }) => {
  await page.goto(site.page("listener"));
  const failures = await page.evaluate(
    ({ url, domain, filter }) => {
      const circle: Record<string, unknown> = {};
      circle.self = circle;
      const values: unknown[] = [
        { a: [Number.NaN] },
        { a: [Number.POSITIVE_INFINITY] },
        { a: ["half \ud800 a pair"] },
        { a: [undefined] },
        { a: [new Date()] },
        { a: [10n] },
        { a: [() => 1] },
        { a: [circle] },
      ];
      const publish = (data: unknown) => window.listener.client(url).publish({ domain, filter, data: data as null });
      return Promise.all(values.map((data) => window.listener.failureOf(() => publish(data))));
    },
    { url: server.url, ...PLAYLIST },
  );
  for (const failure of failures) {
    expect(failure).toMatchObject({
      code: "INVALID_ARGUMENT",
      violations: [{ field: expect.stringMatching(/^data\.a\[0\]/) }],
    });
  }
  expect(await server.metric("poke_pokes_published_total")).toBe(0);
});
