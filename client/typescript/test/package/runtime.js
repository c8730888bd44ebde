// Stands for the runtime of AWS Lambda: node runtime.js MODULE. Each line that comes is an invocation, each line that goes its outcome.
import { createInterface } from "node:readline";

const { handler } = await import(process.argv[2]);
for await (const line of createInterface(process.stdin)) {
  const { event, remaining, id } = JSON.parse(line);
  const start = Date.now();
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => remaining - (Date.now() - start) };
  const outcome = await handler(event, context).then(
    (answer) => ({ answer }),
    ({ name, code, reason, message }) => ({ error: { name, code, reason, message } }),
  );
  console.log(JSON.stringify({ ...outcome, took: Date.now() - start }));
}
