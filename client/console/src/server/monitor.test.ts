import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Monitor } from "./monitor.js";

/** A server as the page sees it by fetch. */
class Answers {
  status = 200;
  reloads = 0;
  isDown = false;
  /** Never answers. */
  isSilent = false;
  readonly asked: { path: string; key: string | null }[] = [];

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    this.asked.push({ path, key: new Headers(init.headers).get("authorization") });
    if (this.isDown) throw new TypeError("Failed to fetch");
    if (this.isSilent) {
      await new Promise((_, fail) => init.signal?.addEventListener("abort", () => fail(init.signal?.reason)));
    }
    const total = { published: 0, delivered: 0, gaps: 0, publishRefused: 0, streamsRefused: 0, connectionsRefused: 0 };
    const status = { epoch: "e", configReloads: this.reloads, uptimeSeconds: this.asked.length, total, now: {}, memory: {} };
    const body = this.status === 200 ? (path === "/console/status" ? status : { domains: [] }) : { message: "no" };
    return new Response(JSON.stringify(body), { status: this.status });
  };
}

let server: Answers;
let monitor: Monitor;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", { hidden: false });
  server = new Answers();
  monitor = new Monitor(server.fetch as typeof fetch);
});

afterEach(() => {
  monitor.stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const paths = () => server.asked.map(({ path }) => path);

it("asks for settings once, and again when the configuration was replaced", async () => {
  monitor.start("");
  await pass(10_000);
  expect(paths().filter((path) => path === "/console/settings")).toHaveLength(1);
  server.reloads = 1;
  await pass(2000);
  expect(paths().filter((path) => path === "/console/settings")).toHaveLength(2);
});

it("says that the server is lost, since when, and that it is back", async () => {
  monitor.start("");
  await pass(2000);
  server.isDown = true;
  await pass(2000);
  expect(monitor.state.value).toMatchObject({ kind: "known", lost: { why: "it can't be reached" } });
  server.isDown = false;
  await pass(2000);
  expect(monitor.state.value).toMatchObject({ kind: "known" });
  expect(monitor.state.value).not.toHaveProperty("lost");
});

it("gives up on a server that is silent", async () => {
  server.isSilent = true;
  monitor.start("");
  await pass(5001);
  expect(monitor.state.value).toEqual({ kind: "lost", why: "it doesn't answer" });
});

it("sends the key that was entered last, at once, whatever it waits for", async () => {
  server.status = 401;
  monitor.start("");
  await pass(1);
  expect(monitor.state.value).toMatchObject({ kind: "refused", needsKey: true });
  server.isSilent = true;
  await pass(2000);
  monitor.start("key");
  server.isSilent = false;
  server.status = 200;
  await pass(1);
  expect(server.asked.at(-1)?.key).toBe("Bearer key");
  expect(monitor.state.value).toMatchObject({ kind: "known" });
});

it("asks nothing after it was stopped", async () => {
  server.isSilent = true;
  monitor.start("");
  await pass(1);
  monitor.stop();
  const before = server.asked.length;
  await pass(60_000);
  expect(server.asked).toHaveLength(before);
});
