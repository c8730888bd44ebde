import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { expect, vi } from "vitest";

/** A program of Node that runs, and what it has printed. */
export class Program {
  readonly lines: string[] = [];
  /** Its exit code, once it has ended. */
  readonly code: Promise<unknown>;
  readonly #process: ChildProcess;

  constructor(folder: string, file: string, parameters: string[], environment: NodeJS.ProcessEnv) {
    this.#process = spawn(process.execPath, [file, ...parameters], {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: "pipe",
    });
    const { stdout, stderr } = this.#process;
    for (const output of [stdout, stderr]) {
      if (output) createInterface(output).on("line", (line) => this.lines.push(line));
    }
    this.code = new Promise((ended) => this.#process.once("close", ended));
  }

  /** Waits until it has printed such a line. */
  prints(line: RegExp): Promise<void> {
    return vi.waitFor(() => expect(this.lines).toContainEqual(expect.stringMatching(line)), {
      timeout: 20_000,
      interval: 25,
    });
  }

  /** Hands it a line. */
  tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}
