import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";
import { Builder, Capabilities } from "selenium-webdriver";
import { freePort, listening } from "./port.js";

/** A page of any browser. Playwright's pages are such. */
export interface Tab {
  goto(url: string): Promise<unknown>;
  /** Runs a function in the page. It sees nothing but its argument, and both ways it is JSON. */
  evaluate<R, A>(run: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
  close(): Promise<unknown>;
}

/** A browser that Playwright doesn't drive. */
export interface Engine {
  newTab(): Promise<Tab>;
  close(): Promise<void>;
}

const FIREFOX = "/usr/bin/firefox-esr";
const WEBKIT = { driver: "/usr/bin/WebKitWebDriver", browser: "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser" };

/** The engines, as Debian has them. Each needs its packages: see tests/suites/browser.sh. */
export const ENGINES = {
  Firefox: { isInstalled: () => existsSync(FIREFOX), start: startFirefox },
  WebKit: { isInstalled: () => existsSync(WEBKIT.driver) && existsSync(WEBKIT.browser), start: startWebKit },
};

async function startFirefox(): Promise<Engine> {
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, acceptInsecureCerts: true });
  return { newTab: () => browser.newPage() as Promise<Tab>, close: () => browser.close() };
}

/** WebKit's small browser has no headless mode, and one page for each session. */
async function startWebKit(): Promise<Engine> {
  const screen = spawn("Xvfb", ["-displayfd", "1", "-nolisten", "tcp"], { stdio: ["ignore", "pipe", "ignore"] });
  const [display] = (await once(screen.stdout, "data")) as [Buffer];
  const port = await freePort();
  const env = { ...process.env, DISPLAY: `:${display.toString().trim()}` };
  const driver = spawn(WEBKIT.driver, [`--port=${port}`], { env, stdio: "ignore" });
  await listening(port, () => driver.exitCode === null);
  const capabilities = new Capabilities({
    browserName: "MiniBrowser",
    acceptInsecureCerts: true,
    "webkitgtk:browserOptions": { binary: WEBKIT.browser, args: ["--automation"] },
  });
  const newTab = async (): Promise<Tab> => {
    const session = await new Builder().usingServer(`http://127.0.0.1:${port}`).withCapabilities(capabilities).build();
    await session.manage().setTimeouts({ script: 60_000 });
    return {
      goto: (url) => session.get(url),
      evaluate: async (run, argument) => {
        const script = `const [argument, tell] = arguments;
          Promise.resolve(argument).then(${run}).then((value) => tell({ value }), (error) => tell({ error: String(error) }));`;
        const { value, error } = await session.executeAsyncScript<{
          value: Awaited<ReturnType<typeof run>>;
          error?: string;
        }>(script, argument);
        if (error) throw new Error(error);
        return value;
      },
      close: () => session.quit(),
    };
  };
  return { newTab, close: () => end(driver, screen) };
}

async function end(...processes: ChildProcess[]): Promise<void> {
  for (const process of processes) {
    process.kill();
    if (process.exitCode === null && process.signalCode === null) await once(process, "exit");
  }
}
