import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { binary } from "./binaries.js";
import { type Certificate, makeCertificate } from "./certificate.js";

/** How a server under test differs from one with default settings where every domain is open to everyone. */
export interface ServerOptions {
  /** Speak TLS, with a certificate made for this server. */
  tls?: boolean;
  /** Run without a configuration, as a developer does: then `settings` and `tls` count for nothing. */
  development?: boolean;
  /** Keys in TOML's dotted form and their values, as they stand in the file: `{"stream.heartbeat_interval": '"1s"'}`. */
  settings?: Record<string, string>;
}

/** An answer in JSON, and its HTTP status. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever the server says
  body: any;
}

/** A real `poke-server`, on free ports of loopback. */
export class Server {
  readonly #folder = mkdtempSync(join(tmpdir(), "poke-browser-"));
  #settings: Record<string, string>;
  readonly #certificate: Certificate | undefined;
  readonly #isConfigured: boolean;
  #process: ChildProcess | undefined;
  #address = "127.0.0.1:0";
  #admin = "";
  /** What the server has said so far, a line each. */
  readonly log: string[] = [];

  private constructor(options: ServerOptions) {
    this.#isConfigured = !options.development;
    this.#certificate = options.tls && this.#isConfigured ? makeCertificate(this.#folder) : undefined;
    this.#settings = {
      'domains."*".publishers': '"anyone"',
      'domains."*".subscribers': '"open"',
      "cors.origins": '["loopback"]',
      ...(this.#certificate && {
        "tls.certificate": JSON.stringify(this.#certificate.certificate),
        "tls.key": JSON.stringify(this.#certificate.key),
      }),
      ...options.settings,
    };
  }

  /** Starts a server and waits until it listens. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options);
    await server.restart();
    return server;
  }

  /** Where clients connect. The same after a restart. */
  get url(): string {
    return `${this.#certificate ? "https" : "http"}://${this.#address}`;
  }

  /** The port of {@link url}. */
  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** With TLS: the certificate to trust, as PEM. */
  get pem(): string | undefined {
    return this.#certificate?.pem;
  }

  /** Starts the server again at the same address, after {@link kill} or {@link drain}; with other settings if it is given some. */
  async restart(settings: Record<string, string> = {}): Promise<void> {
    this.#settings = { ...this.#settings, ...settings };
    const file = join(this.#folder, "poke.toml");
    const lines = Object.entries(this.#settings).map(([key, value]) => `${key} = ${value}\n`);
    writeFileSync(file, lines.join(""));
    const addresses = ["--listen.addresses", this.#address, "--admin.listen", "127.0.0.1:0"];
    const config = this.#isConfigured ? ["--config", file] : [];
    const process = spawn(binary("poke-server"), [...config, ...addresses], { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = process;
    await new Promise<void>((listening, failed) => {
      process.once("exit", (code) => failed(new Error(`poke-server ended with ${code}: ${this.log.slice(-10).join("\n")}`)));
      process.once("error", failed);
      const read = (line: string) => {
        this.log.push(line);
        this.#address = /^listening on https?:\/\/(\S+)/.exec(line)?.[1] ?? this.#address;
        const admin = /^admin on (\S+)/.exec(line)?.[1];
        if (admin) {
          this.#admin = admin;
          listening();
        }
      };
      for (const output of [process.stdout, process.stderr]) createInterface(output).on("line", read);
    });
  }

  /** Ends the server as a crash does. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks the server to go away, as an orchestrator does; returns at once. */
  drain(): void {
    this.#process?.kill("SIGTERM");
  }

  /** Waits until the process has ended, and gives its exit code. */
  async exited(): Promise<number | null> {
    const process = this.#process;
    if (process && process.exitCode === null && process.signalCode === null) await once(process, "exit");
    return process?.exitCode ?? null;
  }

  /** Calls a method with JSON, from outside of the browser. */
  call(method: "Publish" | "EndInterest", body: unknown): Promise<Answer> {
    const url = `${this.url}/poke.v1.PokeService/${method}`;
    const { request } = this.#certificate ? https : http;
    return new Promise((answered, failed) => {
      const headers = { "content-type": "application/json" };
      const options = {
        method: "POST",
        headers,
        agent: false as const,
        ...(this.#certificate && { ca: this.#certificate.pem }),
      };
      const call = request(url, options, async (response) => {
        const parts: Buffer[] = [];
        for await (const part of response) parts.push(part as Buffer);
        const text = Buffer.concat(parts).toString();
        answered({ status: response.statusCode ?? 0, body: text.startsWith("{") ? JSON.parse(text) : text });
      });
      call.on("error", failed);
      call.end(JSON.stringify(body));
    });
  }

  /** Publishes from outside of the browser; fails unless the poke is accepted. */
  async publish(domain: string, filter: string, data?: unknown): Promise<Answer["body"]> {
    const { status, body } = await this.call("Publish", data === undefined ? { domain, filter } : { domain, filter, data });
    if (status !== 200) throw new Error(`Publish was answered with ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** The sum of a metric over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.#admin}/metrics`)).text();
    const values = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    if (values.length === 0) throw new Error(`there is no metric ${name}`);
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /** Streams that are open now. */
  openStreams(): Promise<number> {
    return this.metric("poke_streams_open");
  }

  /** Ends the server and removes its files. Fails when its log holds a panic or an error. */
  async stop(): Promise<void> {
    await this.#end("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
    const faults = this.log.filter((line) => line.includes("panicked at") || /"level":"ERROR"/i.test(line));
    if (faults.length > 0) throw new Error(`the server's log holds faults:\n${faults.join("\n")}`);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#process?.kill(signal);
    await this.exited();
  }
}
