import type { Page } from "@playwright/test";
import { expect, test } from "../harness/fixtures.js";

/** Publishes by gRPC-Web from a page, by plain `fetch`, and says what the page's script can see. */
function publishFrom(page: Page, server: string, message: number[]) {
  const seen = async ({ server, message }: { server: string; message: number[] }) => {
    const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
    const body = new Uint8Array([0, 0, 0, 0, message.length, ...message]);
    try {
      const answer = await fetch(`${server}/poke.v1.PokeService/Publish`, { method: "POST", headers, body });
      const text = await answer.text();
      return { http: answer.status, headers: Object.fromEntries(answer.headers), text };
    } catch (error) {
      return { refused: String(error) };
    }
  };
  return page.evaluate(seen, { server, message });
}

/** PublishRequest {domain: "A", filter: "b"}, and one without a filter. */
const GOOD = [0x0a, 1, 0x41, 0x12, 1, 0x62];
const BAD = [0x0a, 1, 0x41];

test("only pages of the named origins may call, and they can read errors", async ({ page, site, startServer }) => {
  const origin = site.origin("app.example.test");
  const server = await startServer({ settings: { "cors.origins": JSON.stringify([origin]) } });

  await page.goto(site.page("blank", "app.example.test"));
  const accepted = await publishFrom(page, server.url, GOOD);
  expect(accepted).toMatchObject({ http: 200 });
  expect(accepted.text).toMatch(/grpc-status: ?0/);
  const answer = page.waitForResponse((response) => response.request().method() === "POST");
  const refused = await publishFrom(page, server.url, BAD);
  expect(refused).toMatchObject({ http: 200 });
  const exposed = (await answer).headers()["access-control-expose-headers"]?.split(",");
  for (const field of ["grpc-status", "grpc-message", "grpc-status-details-bin"]) {
    // Our server sends them at the end of the body; a proxy that answers in its place sends them as headers.
    expect(refused.text).toContain(`${field}: `);
    expect(exposed).toContain(field);
  }

  const before = await server.metric("poke_pokes_published_total");
  for (const other of ["evil.example.test", "127.0.0.1"]) {
    await page.goto(site.page("blank", other));
    expect(await publishFrom(page, server.url, GOOD)).toEqual({ refused: "TypeError: Failed to fetch" });
  }
  expect(await server.metric("poke_pokes_published_total")).toBe(before);
});

test("a server that names no origin is for no page", async ({ page, site, startServer }) => {
  const server = await startServer({ settings: { "cors.origins": "[]" } });
  await page.goto(site.page("blank"));
  expect(await publishFrom(page, server.url, GOOD)).toEqual({ refused: "TypeError: Failed to fetch" });
});

test("every origin may call where the server says so", async ({ page, site, startServer }) => {
  const server = await startServer({ settings: { "cors.origins": '["*"]' } });
  await page.goto(site.page("blank", "evil.example.test"));
  expect(await publishFrom(page, server.url, GOOD)).toMatchObject({ http: 200 });
});
