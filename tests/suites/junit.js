// Prints the tests of a JUnit report, of Playwright or Vitest, as tests/run counts them: see lib.sh.
import { readFileSync } from "node:fs";

const report = readFileSync(process.argv[2], "utf8");
const attribute = (name, attributes) => new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
const suites = [...report.matchAll(/<testsuite ([^>]*)>([\s\S]*?)<\/testsuite>/g)];
if (suites.length === 0) throw new Error("the report holds no tests");
for (const [, suite, cases] of suites) {
  // Playwright's project stands where others have the machine.
  const where = `${attribute("hostname", suite)} ${attribute("name", suite)}`;
  for (const [, test, inner = ""] of cases.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const what = `${where}: ${attribute("name", test)}`;
    if (/<(failure|error)/.test(inner)) console.log(`failed 1 ${what}`);
    else if (/<skipped/.test(inner)) console.log(`skipped 1 ${what}`);
    else console.log("passed 1");
  }
}
