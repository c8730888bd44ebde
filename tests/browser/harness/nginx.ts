import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "./certificate.js";
import { freePort, listening } from "./port.js";

/** What nginx is set to. */
interface Settings {
  /** The port of the server behind it, which speaks clear text. */
  target: number;
  /** Whether browsers speak TLS, and so HTTP/2, with it. */
  tls: boolean;
  /** Seconds for all its timeouts in place of 60, which are nginx's own. */
  timeout?: number;
}

/** nginx in front of a server, with nothing set that isn't asked for. */
export class Nginx {
  readonly #folder = mkdtempSync(join(tmpdir(), "poke-nginx-"));
  readonly url: string;
  readonly #port: number;
  readonly #process: ChildProcess;

  private constructor(settings: Settings, port: number) {
    this.#port = port;
    this.url = `${settings.tls ? "https" : "http"}://127.0.0.1:${port}`;
    const file = join(this.#folder, "nginx.conf");
    writeFileSync(file, this.#configuration(settings));
    this.#process = spawn("nginx", ["-c", file, "-e", join(this.#folder, "error.log")], { stdio: "inherit" });
  }

  static async start(settings: Settings): Promise<Nginx> {
    const nginx = new Nginx(settings, await freePort());
    await listening(nginx.#port, () => nginx.#process.exitCode === null);
    return nginx;
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    if (this.#process.exitCode === null) await once(this.#process, "exit");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #configuration({ target, tls, timeout }: Settings): string {
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (kind) => `${kind}_temp_path ${this.#folder}/${kind};`,
    );
    const certificate = tls ? makeCertificate(this.#folder) : undefined;
    const timeouts = [
      "proxy_read_timeout",
      "proxy_send_timeout",
      "send_timeout",
      "client_body_timeout",
      "keepalive_timeout",
    ];
    return `
      daemon off; pid ${this.#folder}/pid;
      events {}
      http {
        access_log off; ${temporary.join(" ")}
        ${timeout === undefined ? "" : timeouts.map((name) => `${name} ${timeout}s;`).join(" ")}
        server {
          listen 127.0.0.1:${this.#port}${tls ? " ssl http2" : ""};
          ${certificate ? `ssl_certificate ${certificate.certificate}; ssl_certificate_key ${certificate.key};` : ""}
          location / { proxy_pass http://127.0.0.1:${target}; }
        }
      }`;
  }
}
