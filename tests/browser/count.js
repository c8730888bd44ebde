// Prints the tests of a JUnit report as tests/run counts them: see tests/suites/lib.sh.
import { readFileSync } from "node:fs";

const report = readFileSync(process.argv[2], "utf8");
const suites = [...report.matchAll(/<testsuite [^>]*hostname="([^"]*)"[^>]*>([\s\S]*?)<\/testsuite>/g)];
if (suites.length === 0) throw new Error("the report holds no tests");
for (const [, project, cases] of suites) {
  for (const [, name, inner = ""] of cases.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    if (/<(failure|error)/.test(inner)) console.log(`failed 1 ${project}: ${name}`);
    else if (/<skipped/.test(inner)) console.log(`skipped 1 ${project}: ${name}`);
    else console.log("passed 1");
  }
}
