import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the package in the repository. */
export const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

const manifest = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
const root = JSON.parse(readFileSync(join(PACKAGE, "../../package.json"), "utf8"));
const versions: Record<string, string> = { ...root.devDependencies, ...manifest.devDependencies };

/** Dependencies in the versions that the repository uses, so that npm has them in its cache. */
export function pinned(...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const version = versions[name];
      if (!version) throw new Error(`${name} isn't a dependency of the repository`);
      return [name, version];
    }),
  );
}

/** A folder outside of the repository: what somebody has who installs the package. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "poke-project-"));

  /** Packs the package, as it is built, and installs that with the dependencies. */
  static install(dependencies: Record<string, string>): Project {
    const project = new Project();
    const packed = project.#npm(["pack", PACKAGE, "--pack-destination", project.folder, "--ignore-scripts", "--silent"]);
    const tarball = `file:${packed.trim().split("\n").at(-1)}`;
    project.write(
      "package.json",
      JSON.stringify({ private: true, type: "module", dependencies: { "multicast-poke": tarball, ...dependencies } }),
    );
    project.#npm(["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    return project;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  /** Copies a folder or file of the package. */
  copy(name: string, to = name): void {
    cpSync(join(PACKAGE, name), this.path(to), { recursive: true });
  }

  /** Runs a command of an installed package, and returns its output. */
  run(command: string, ...parameters: string[]): string {
    return this.#execute(this.path(`node_modules/.bin/${command}`), parameters);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #npm(parameters: string[]): string {
    return this.#execute("npm", parameters);
  }

  #execute(command: string, parameters: string[]): string {
    try {
      return execFileSync(command, parameters, { cwd: this.folder, encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`${command} ${parameters.join(" ")}: ${stdout}${stderr}`, { cause: error });
    }
  }
}
