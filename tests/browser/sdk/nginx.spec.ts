import { expect, test } from "../harness/fixtures.js";
import { dataOf, isTold, listen, PLAYLIST, told } from "../harness/listening.js";
import { Nginx } from "../harness/nginx.js";

const { domain, filter } = PLAYLIST;

/** Seconds: nginx's own timeouts, the server's own heartbeats and a long silence; and all of them in a tenth of the time. */
const REAL = { timeout: 60, heartbeat: 20, idle: 150 };
const TENTH = { timeout: 6, heartbeat: 2, idle: 15 };
const { timeout, heartbeat, idle } = process.env.POKE_REAL_TIMEOUTS ? REAL : TENTH;

test("heartbeats keep a quiet stream open through nginx", async ({ page, site, startServer, tls, stopAtEnd }) => {
  test.setTimeout((idle + 60) * 1_000);
  const server = await startServer({ tls: false, settings: { "stream.heartbeat_interval": `"${heartbeat}s"` } });
  const nginx = stopAtEnd(await Nginx.start({ target: server.port, tls, timeout }));
  await listen(page, site, nginx);
  await page.waitForTimeout(idle * 1_000);
  await server.publish(domain, filter, "after the silence");
  await isTold(page, "poke");
  expect(await told(page, "connected")).toHaveLength(1);
  expect(await server.metric("poke_streams_opened_total")).toBe(1);
  await page.close();
  await expect.poll(() => server.openStreams()).toBe(0);
});

test("without heartbeats nginx cuts the same stream, and the SDK makes a new one", async ({
  page,
  site,
  startServer,
  tls,
  stopAtEnd,
}) => {
  const server = await startServer({
    tls: false,
    settings: { "stream.heartbeat_interval": '"60s"', "stream.reconnect_spread": '"1s"' },
  });
  const nginx = stopAtEnd(await Nginx.start({ target: server.port, tls, timeout: TENTH.timeout }));
  await listen(page, site, nginx);
  await isTold(page, "reconnecting");
  await server.publish(domain, filter, "meanwhile");
  await expect.poll(() => dataOf(page)).toEqual(["meanwhile"]);
});
