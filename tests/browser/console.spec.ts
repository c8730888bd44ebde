import { generateKeyPairSync, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./harness/fixtures.js";
import type { Server } from "./harness/server.js";

// Made by `poke-server key new`.
const OPERATOR = "poke_operatorAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const BACKEND = "poke_backendAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PRODUCTION = {
  "console.enabled": "true",
  admins: '[{ key = "operator" }]',
  "keys.operator": '"sha256:16daaa78c52d730cf242e66b0d43d75d1eea05c19f03d0715bc1c207fba8dc58"',
  "keys.backend": '"sha256:d420a84e5ab4a7a1ff3ac2960e26d599cc9134c4689901a194c8e8abbe427743"',
  'domains."*".publishers': '[{ key = "backend" }]',
  'domains."*".subscribers': '"open"',
  "domains.LIBRARY.subscribers": '"authenticated"',
  "domains.LIBRARY.publishers": '[{ key = "backend" }]',
};

const region = (page: Page, name: string) => page.getByRole("region", { name });
const row = (page: Page, text: string | RegExp) => page.locator(".log button.row").filter({ hasText: text });

/** Opens the console. It may say nothing that is wrong, nor call anyone else. */
async function open(page: Page, server: Server): Promise<string[]> {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    // A browser itself notes each call that fails.
    const isNote = /Failed to load resource|net::ERR/.test(message.text());
    if (message.type() === "error" && !isNote) faults.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !request.url().startsWith("data:")) faults.push(request.url());
  });
  await page.goto(`${server.url}/console`);
  await expect(page.getByRole("heading", { name: "Multicast Poke" })).toBeVisible();
  return faults;
}

async function watch(page: Page, domain: string, filter: string): Promise<void> {
  const form = region(page, "Watch");
  await form.getByLabel("Domain").fill(domain);
  await form.getByLabel("Filter").fill(filter);
  await form.getByRole("button", { name: "Watch", exact: true }).click();
  const interest = form.getByRole("listitem").filter({ hasText: `${domain}/${filter}` });
  await expect(interest.getByText("live")).toBeVisible();
}

async function publish(page: Page, domain: string, filter: string, data: string): Promise<void> {
  const form = region(page, "Publish");
  await form.getByLabel("Domain").fill(domain);
  await form.getByLabel("Filter").fill(filter);
  await form.getByLabel("Data", { exact: true }).fill(data);
  await form.getByRole("button", { name: "Publish" }).click();
}

async function enterKeys(page: Page, keys: Record<string, string>, isKept = false): Promise<void> {
  await page.getByRole("button", { name: "Keys…" }).click();
  for (const [label, key] of Object.entries(keys)) await page.getByRole("dialog").getByLabel(label).fill(key);
  if (isKept) await page.getByLabel("Keep them until this tab is closed").check();
  await page.getByRole("button", { name: "Use these" }).click();
}

async function violations(page: Page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
}

test("several interests are watched at once, and each stops by itself", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  const faults = await open(page, server);
  await watch(page, "PLAYLIST", "summer");
  await watch(page, "SCORE", "match-1");
  await server.publish("PLAYLIST", "summer", { added: ["track-7"] });
  await server.publish("SCORE", "match-1", "1:0");
  await server.publish("PLAYLIST", "other", "for others");
  await expect(row(page, '{"added":["track-7"]}')).toContainText("PLAYLIST/summer");
  await expect(row(page, '"1:0"')).toContainText("SCORE/match-1");

  await page.getByRole("button", { name: "Stop watching PLAYLIST/summer" }).click();
  await server.publish("PLAYLIST", "summer", "too late");
  await server.publish("SCORE", "match-1", "2:0");
  await expect(row(page, '"2:0"')).toBeVisible();
  await expect(row(page, "too late")).toHaveCount(0);
  // For a moment there are two: the new one is live before the old one goes.
  await expect.poll(() => server.openStreams()).toBe(1);

  // All of an event, when it is opened.
  await row(page, "track-7").click();
  await expect(page.getByText("by the server's clock")).toBeVisible();
  await expect(page.locator("pre")).toHaveText('{\n  "added": [\n    "track-7"\n  ]\n}');
  expect(faults).toEqual([]);
});

test("it works where the browser lets pages keep nothing", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  await page.addInitScript(() => {
    const get = () => {
      throw new DOMException("no", "SecurityError");
    };
    Object.defineProperty(window, "sessionStorage", { get });
  });
  const faults = await open(page, server);
  await watch(page, "PLAYLIST", "summer");
  expect(faults).toEqual([]);
});

test("what others name or send is shown as text, whatever it looks like", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  const faults = await open(page, server);
  const markup = `<img src=x onerror="document.title='taken'">`;
  await watch(page, "PLAYLIST", markup);
  await server.publish("PLAYLIST", markup, { [markup]: markup });
  await server.call("EndInterest", { domain: "PLAYLIST", filter: markup, data: markup });
  await row(page, "poke").click();
  await expect(page.locator("pre")).toContainText("<img src=x");
  await expect(row(page, "there is no more")).toContainText("<img src=x");
  await expect(page.locator("main img")).toHaveCount(0);
  await expect(page).toHaveTitle("Multicast Poke console");
  expect(faults).toEqual([]);
});

test("what is typed is published as text, JSON or nothing, and the answer is shown", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  await open(page, server);
  await watch(page, "PLAYLIST", "f");
  const form = region(page, "Publish");
  // What is watched stands there already.
  await expect(form.getByLabel("Filter")).toHaveValue("f");
  for (const [typed, says, shown] of [
    ["", "no data (undefined)", "no data"],
    ["Updated", "text", '"Updated"'],
    ['{"n":1}', "an object", '{"n":1}'],
    ["null", "null", "null"],
  ] as const) {
    await publish(page, "PLAYLIST", "f", typed);
    await expect(form.getByText(`Sends ${says}: `)).toBeVisible();
    await expect(form.getByRole("status")).toContainText("Accepted, to 1 receiver. Position ");
    await expect(row(page, shown).first()).toContainText("poke");
  }
  await form.getByLabel("Data", { exact: true }).fill("9007199254740993");
  await expect(form.getByRole("button", { name: "Publish" })).toBeDisabled();
  await expect(form.locator("#data-says")).toHaveClass("bad");
});

test("text that looks like JSON and isn't is told before it is sent, and where it goes wrong", async ({
  page,
  startServer,
}) => {
  const server = await startServer({ development: true });
  await open(page, server);
  const form = region(page, "Publish");
  await form.getByLabel("Data", { exact: true }).fill('{"oops": ');
  await expect(form.locator("#data-says")).toHaveText(/^Sends text: .* It looks like JSON, but isn't: .+\.$/);
  await expect(form.locator("#data-says")).toHaveClass("warn");
  await expect(form.getByRole("button", { name: "Publish as text" })).toBeEnabled();
  await form.getByLabel("read as").selectOption("text");
  await expect(form.locator("#data-says")).toHaveClass("muted");
  await expect(form.getByRole("button", { name: "Publish", exact: true })).toBeEnabled();
  await form.getByLabel("read as").selectOption("JSON");
  await expect(form.locator("#data-says")).toHaveText(/^This is not valid JSON: .+\.$/);
  await expect(form.getByRole("button", { name: "Publish", exact: true })).toBeDisabled();
});

test("on a phone a large poke is a row of a few lines, and all of it shows when it is opened", async ({
  page,
  startServer,
}) => {
  const server = await startServer({ development: true });
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, server);
  await watch(page, "PLAYLIST", "f".repeat(256));
  await server.publish("PLAYLIST", "f".repeat(256), { tracks: Array.from({ length: 2_000 }, (_, n) => `track-${n}`) });
  const large = row(page, "track-0");
  await large.scrollIntoViewIfNeeded();
  await expect.poll(async () => (await large.boundingBox())?.height).toBeLessThan(200);
  await large.click();
  await expect(page.locator("pre")).toContainText("track-1999");
  expect((await page.locator("pre").boundingBox())?.height).toBeLessThanOrEqual(300);
});

for (const [name, options] of [
  ["in development", { development: true }],
  ["without the server's state", { settings: { "console.enabled": "true" } }],
] as const) {
  test(`at 1280 x 800 Publish is in sight with three interests, ${name}`, async ({ page, startServer }) => {
    const server = await startServer(options);
    await page.setViewportSize({ width: 1280, height: 800 });
    await open(page, server);
    for (const filter of ["a", "b", "c".repeat(256)]) await watch(page, "PLAYLIST", filter);
    await expect(region(page, "Publish").getByRole("button", { name: "Publish" })).toBeInViewport({ ratio: 1 });
  });
}

test("a refusal says why: beside what is watched, and in the server's numbers", async ({ page, startServer }) => {
  const server = await startServer({ settings: { ...PRODUCTION, 'domains."*".subscribers': '"authenticated"' } });
  await open(page, server);
  await enterKeys(page, { "To see the server's state": OPERATOR });
  const watching = region(page, "Watch");
  await watching.getByLabel("Domain").fill("PLAYLIST");
  await watching.getByLabel("Filter").fill("f");
  await watching.getByRole("button", { name: "Watch", exact: true }).click();
  await expect(watching.getByRole("listitem")).toContainText(/refused: CREDENTIALS_REQUIRED: ./);
  expect((await server.call("Publish", { domain: "PLAYLIST", filter: "f" })).status).toBe(401);
  expect((await server.call("Publish", { domain: "PLAYLIST", filter: "" })).status).toBe(400);
  const calls = region(page, "Since the start").locator("div").filter({ hasText: "Calls refused" });
  await expect(calls).toContainText("2: 1 invalid argument, 1 unauthenticated");
});

test("an interest is ended after a question, and nothing is published to it any more", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  await open(page, server);
  await watch(page, "PLAYLIST", "over");
  const form = region(page, "Publish");
  await form.getByLabel("Data", { exact: true }).fill("bye");
  await form.getByRole("button", { name: "End…" }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  await form.getByRole("button", { name: "End…" }).click();
  await expect(page.getByRole("dialog")).toContainText("PLAYLIST/over");
  await page.getByRole("button", { name: "End it" }).click();
  await expect(row(page, 'there is no more: "bye"')).toBeVisible();
  await expect(region(page, "Watch").getByText("ended")).toBeVisible();
  await form.getByRole("button", { name: "Publish" }).click();
  await expect(form.getByRole("status")).toContainText("INTEREST_ENDED");
});

test("after a crash of the server it says so, comes back by itself, and shows the gap", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  await open(page, server);
  await watch(page, "PLAYLIST", "f");
  await server.publish("PLAYLIST", "f", "before");
  await expect(row(page, "before")).toBeVisible();
  await server.kill();
  await expect(row(page, "reconnecting").first()).toBeVisible();
  await expect(page.getByText("Out of reach since")).toBeVisible();
  await server.restart();
  await expect(row(page, "gap").first()).toContainText("the server's history began anew", { timeout: 30_000 });
  await expect(region(page, "Watch").getByText("live")).toBeVisible();
  await expect(page.getByText("Serving")).toBeVisible();
  await server.publish("PLAYLIST", "f", "after");
  await expect(row(page, "after").first()).toBeVisible();
});

test("in production its state is for admins, and keys stay in the page", async ({ page, startServer }) => {
  const server = await startServer({ settings: PRODUCTION });
  const faults = await open(page, server);
  await expect(page.getByText("The server shows its state to those who administer it.")).toBeVisible();
  await expect(region(page, "Domains")).toHaveCount(0);
  await enterKeys(page, { "To see the server's state": "poke_wrong" });
  await expect(page.getByText("The server doesn't show its state")).toBeVisible();
  await enterKeys(page, { "To see the server's state": BACKEND });
  await expect(page.getByText("The server doesn't show its state")).toBeVisible();
  await enterKeys(page, { "To see the server's state": OPERATOR });
  await expect(region(page, "Domains").getByRole("row", { name: "LIBRARY" })).toContainText("the key backend");

  const stored = () => page.evaluate(() => JSON.stringify([localStorage, sessionStorage, location.href, document.cookie]));
  expect(await stored()).not.toContain("poke_operator");
  await page.reload();
  await expect(page.getByText("The server shows its state to those who administer it.")).toBeVisible();
  await enterKeys(page, { "To see the server's state": OPERATOR }, true);
  await page.reload();
  await expect(region(page, "Domains")).toBeVisible();
  await page.getByRole("button", { name: "Keys…" }).click();
  await page.getByRole("button", { name: "Forget all" }).click();
  await expect(region(page, "Domains")).toHaveCount(0);
  expect(await stored()).not.toContain("poke_operator");
  expect(faults).toEqual([]);
});

test("a wrong key or none is told, and the right one goes on from there", async ({ page, startServer }) => {
  const server = await startServer({ settings: PRODUCTION });
  await open(page, server);
  const form = region(page, "Publish");
  await publish(page, "PLAYLIST", "f", "x");
  await expect(form.getByRole("status")).toContainText("CREDENTIALS_REQUIRED");
  await enterKeys(page, { "To publish and end": "poke_wrong" });
  await form.getByRole("button", { name: "Publish" }).click();
  await expect(form.getByRole("status")).toContainText("INVALID_CREDENTIALS");
  await enterKeys(page, { "To publish and end": BACKEND });
  await form.getByRole("button", { name: "Publish" }).click();
  await expect(form.getByRole("status")).toContainText("Accepted");

  const watching = region(page, "Watch");
  await watching.getByLabel("Domain").fill("LIBRARY");
  await watching.getByLabel("Filter").fill("mine");
  await watching.getByRole("button", { name: "Watch", exact: true }).click();
  await expect(row(page, "CREDENTIALS_REQUIRED")).toBeVisible();
  await expect(watching.getByText("refused")).toBeVisible();
  await enterKeys(page, { "To watch": "poke_wrong" });
  await expect(watching.getByText("failed")).toBeVisible();
  await expect(row(page, "INVALID_CREDENTIALS")).toBeVisible();
  await enterKeys(page, { "To watch": BACKEND });
  await expect(watching.getByText("live")).toBeVisible();
});

test("what goes to one customer is watched with that customer's token", async ({ page, startServer }, testInfo) => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const keys = testInfo.outputPath("jwks.json");
  await writeFile(keys, JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "EdDSA" }] }));
  const token = (sub: string) => {
    const now = Math.floor(Date.now() / 1000);
    const parts = [
      { alg: "EdDSA", kid: "k" },
      { iss: "app", aud: "poke", sub, iat: now, exp: now + 600 },
    ];
    const message = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    return `${message}.${sign(null, Buffer.from(message), privateKey).toString("base64url")}`;
  };
  const issuer = { issuer: '"app"', audience: '["poke"]', jwks_file: JSON.stringify(keys), customers: "true" };
  const settings = {
    ...PRODUCTION,
    ...Object.fromEntries(Object.entries(issuer).map(([name, value]) => [`issuers.app.${name}`, value])),
    "issuers.app.algorithms": '["EdDSA"]',
    "domains.INBOX.audience": '"customer"',
    "domains.INBOX.publishers": '[{ key = "backend" }]',
  };
  const server = await startServer({ settings });
  await open(page, server);
  await enterKeys(page, { "To see the server's state": OPERATOR, "To watch": token("mira"), "To publish and end": BACKEND });
  await expect(region(page, "Domains").getByRole("row", { name: "INBOX" })).toContainText("one customer each");
  await watch(page, "INBOX", "messages");
  const form = region(page, "Publish");
  for (const customer of ["jonas", "mira"]) {
    await form.getByLabel("Customer").fill(customer);
    await publish(page, "INBOX", "messages", `to ${customer}`);
    await expect(form.getByRole("status")).toContainText("Accepted");
  }
  await expect(row(page, "to mira")).toBeVisible();
  await expect(row(page, "to jonas")).toHaveCount(0);
});

test("over TLS and HTTP/2 it works as well", async ({ page, startServer }) => {
  const server = await startServer({ tls: true, settings: { "console.enabled": "true" } });
  const faults = await open(page, server);
  await watch(page, "PLAYLIST", "f");
  await publish(page, "PLAYLIST", "f", "secure");
  await expect(row(page, '"secure"')).toBeVisible();
  const protocol = () => (performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming).nextHopProtocol;
  expect(await page.evaluate(protocol)).toBe("h2");
  expect(faults).toEqual([]);
});

test("what is no interest is told, and what is watched outlives a reload", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  const faults = await open(page, server);
  await watch(page, "PLAYLIST", "kept");
  const form = region(page, "Watch");
  // 256 characters, and twice as many bytes.
  await form.getByLabel("Filter").fill("ü".repeat(256));
  await form.getByRole("button", { name: "Watch", exact: true }).click();
  await expect(form.getByText("refused")).toBeVisible();
  await expect(row(page, "INVALID_FILTER")).toBeVisible();
  await form.getByRole("button", { name: /^Stop watching PLAYLIST.ü/ }).click();
  await page.reload();
  await expect(form.getByText("live")).toBeVisible();
  await server.publish("PLAYLIST", "kept", "after the reload");
  await expect(row(page, "after the reload")).toBeVisible();
  expect(faults).toEqual([]);
});

test("it works by the keyboard alone", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  await open(page, server);
  await expect(region(page, "Domains")).toBeVisible();
  /** What has the focus, by its text or its label. */
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement;
      return element === document.body ? "" : element.textContent || element.labels?.[0]?.textContent || "";
    });
  const tabTo = async (name: RegExp) => {
    const passed: string[] = [];
    while (passed.length < 40) {
      await page.keyboard.press("Tab");
      const at = await focused();
      if (name.test(at)) return;
      passed.push(at.slice(0, 30));
    }
    throw new Error(`Tab doesn't reach ${name}: ${passed.join(", ")}`);
  };
  await page.keyboard.press("Tab");
  expect(await focused()).toContain("To the server's settings");
  await tabTo(/^Domain/);
  await page.keyboard.type("PLAYLIST");
  await page.keyboard.press("Tab");
  await page.keyboard.type("keys");
  await page.keyboard.press("Enter");
  await expect(region(page, "Watch").getByText("live")).toBeVisible();
  await tabTo(/^JSON or text/);
  await tabTo(/^Data/);
  await page.keyboard.type("by hand");
  // Both buttons come next: the dangerous one asks, and Escape is no.
  await tabTo(/^End…/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  expect(await focused()).toContain("End…");
  await tabTo(/^Publish$/);
  await page.keyboard.press("Enter");
  await expect(row(page, '"by hand"')).toBeVisible();

  // The log is one stop, and arrows move within.
  await tabTo(/poke.*by hand/);
  await page.keyboard.press("ArrowDown");
  expect(await focused()).not.toContain("by hand");
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await expect(page.locator("pre")).toHaveText('"by hand"');
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle);
  expect(ring).toBe("solid");
  await page.keyboard.press("Tab");
  expect(await focused()).toMatch(/stream|retention/);
});

test("it can be read by everyone: no violation in light, dark and at the width of a phone", async ({
  page,
  startServer,
}) => {
  const server = await startServer({ development: true });
  await open(page, server);
  await watch(page, "PLAYLIST", "f");
  await server.publish("PLAYLIST", "f", { a: [1, 2] });
  await server.call("EndInterest", { domain: "PLAYLIST", filter: "f" });
  await watch(page, "PLAYLIST", "g");
  await row(page, '{"a":[1,2]}').click();
  await page.getByText("retention", { exact: true }).click();
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 780 });
      expect(await violations(page), `${colorScheme} at ${width}`).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow, `nothing is cut off at ${width}`).toBeLessThanOrEqual(0);
    }
  }
  await region(page, "Publish").getByRole("button", { name: "End…" }).click();
  expect(await violations(page), "a dialog").toEqual([]);
});

test("in production, too, nothing is hidden from a screen reader", async ({ page, startServer }) => {
  const server = await startServer({ settings: PRODUCTION });
  await open(page, server);
  await expect(page.getByText("The server shows its state to those who administer it.")).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Keys…" }).click();
  expect(await violations(page)).toEqual([]);
});

test("a flood stays readable: the log is bounded, can be paused and searched, and isn't read out", async ({
  page,
  startServer,
}) => {
  // Enough is kept that a slow page misses nothing.
  const server = await startServer({ settings: { "console.enabled": "true", "retention.pokes": "1000" } });
  await open(page, server);
  await watch(page, "SCORE", "flood");
  const announced: string[] = [];
  await page.exposeFunction("announced", (text: string) => announced.push(text));
  await page.evaluate(() => {
    const told = document.querySelector("[data-testid=announcer]") as Element;
    const { announced } = window as unknown as { announced(text: string): void };
    const observer = new MutationObserver(() => told.textContent && announced(told.textContent));
    observer.observe(told, { childList: true, characterData: true, subtree: true });
  });
  const began = Date.now();
  for (let n = 1; n <= 600; n += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => server.publish("SCORE", "flood", `poke ${n + i}`)));
  }
  await expect(page.getByTestId("event-count")).toContainText("602 so far, the newest 500 are kept");
  await expect(page.locator(".log button.row")).toHaveCount(500);
  await expect(page.getByTestId("announcer")).toContainText("poke");
  expect(announced.length, announced.join("; ")).toBeLessThanOrEqual(Math.ceil((Date.now() - began) / 5000) + 1);

  await page.getByRole("button", { name: "Pause" }).click();
  await server.publish("SCORE", "flood", "unseen");
  await expect(page.getByRole("button", { name: "Resume (1 new)" })).toBeVisible();
  await expect(row(page, "unseen")).toHaveCount(0);
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(row(page, "unseen")).toBeVisible();

  await page.getByLabel("Show only events with this text").fill("unseen");
  await expect(page.locator(".log button.row")).toHaveCount(1);
  await page.getByLabel("Show only events with this text").fill("");
  await page.getByRole("checkbox", { name: "pokes" }).uncheck();
  await expect(page.locator(".log button.row")).toHaveCount(0);
});

test("the numbers move, and each drawing says in words what it shows", async ({ page, startServer }) => {
  const server = await startServer({ development: true });
  await open(page, server);
  await watch(page, "SCORE", "f");
  const tiles = region(page, "The server at this moment");
  await expect(tiles.locator("[data-of=streams] p").first()).toHaveText("1");
  await expect(tiles.locator("[data-of=streams]")).toContainText("60 s ago");
  await expect(tiles.getByRole("img", { name: "Streams in the last 60 s: now 1, at most 1, at least 0" })).toBeVisible();
  await expect
    .poll(async () => {
      await server.publish("SCORE", "f", "x");
      return tiles.getByRole("img", { name: /^Published a second/ }).getAttribute("aria-label");
    })
    .toMatch(/now (?!0,)[\d.]+, at most [\d.]+/);
});
