// Prints the tests of a JUnit report, of Playwright or Vitest, as tests/run counts them: see lib.sh.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

const report = readFileSync(process.argv[2], "utf8");
const characters = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const attribute = (name, attributes) =>
  (new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "").replace(/&(\w+);/g, (_, name) => characters[name] ?? "?");
const suites = [...report.matchAll(/<testsuite ([^>]*)>([\s\S]*?)<\/testsuite>/g)];
if (suites.length === 0) throw new Error("the report holds no tests");
for (const [, suite, cases] of suites) {
  // Playwright's project stands where Vitest has the machine.
  const where = [attribute("hostname", suite), attribute("name", suite)].filter((part) => part !== hostname()).join(" ");
  for (const [, test, inner = ""] of cases.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const what = `${where}: ${attribute("name", test)}`;
    if (/<(failure|error)/.test(inner)) console.log(`failed 1 ${what}`);
    else if (/<skipped/.test(inner)) console.log(`skipped 1 ${what}`);
    else console.log("passed 1");
  }
}
