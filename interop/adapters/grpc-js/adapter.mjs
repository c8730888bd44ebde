// The adapter of grpc-js with stubs that it makes of the contract as it starts. See interop/README.md for what it speaks.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { toldError, toldEvent, toldPosition, toValue } from "./told.mjs";

const definition = loadSync("poke/v1/poke.proto", { includeDirs: ["proto"], longs: String, enums: String, oneofs: true });
const { PokeService } = loadPackageDefinition(definition).poke.v1;
const clients = new Map();
const subscriptions = new Map();

/** One call. */
class Subscription {
  #isTold = true;

  constructor(name, client, interests) {
    this.client = client;
    const options = client.deadline === undefined ? {} : { deadline: Date.now() + client.deadline };
    this.call = client.stub.Subscribe({ subscriptions: interests.map(startOf) }, client.metadata, options);
    const tell = (event) => {
      if (this.#isTold && event) say({ subscription: name, event });
    };
    this.call.on("data", (response) => tell(toldEvent(response)));
    // A status can come while events still wait to be read, and an error has an end of its own.
    const ended = new Promise((resolve) => this.call.once("end", resolve));
    this.call.once("status", ({ code }) => code === 0 && ended.then(() => tell({ event: "over" })));
    this.call.on("error", (error) => tell({ event: "failed", error: toldError(error) }));
  }

  cancel() {
    this.#isTold = false;
    this.call.cancel();
  }
}

function startOf({ domain, filter, audience, latest, position }) {
  const interest = { domain, filter, audience: audience === "customer" ? "AUDIENCE_CUSTOMER" : undefined };
  if (latest) return { interest, latest: {} };
  return position ? { interest, after: position } : { interest };
}

/** What a command comes to: the fields of its answer beside the id. */
async function handle(command) {
  const client = clients.get(command.client);
  const subscription = subscriptions.get(command.subscription);
  switch (command.command) {
    case "open": {
      const stub = new PokeService(command.url.replace(/^http:\/\//, ""), credentials.createInsecure());
      const metadata = new Metadata();
      if (command.tokens) metadata.set("authorization", `Bearer ${command.tokens[0]}`);
      clients.set(command.client, { stub, metadata, deadline: command.deadlineMs });
      return { ok: {} };
    }
    case "subscribe":
      subscriptions.set(command.subscription, new Subscription(command.subscription, client, command.interests));
      return { ok: {} };
    case "pause":
      subscription.call.pause();
      return { ok: {} };
    case "resume":
      subscription.call.resume();
      return { ok: {} };
    case "cancel":
      subscription.cancel();
      return { ok: {} };
    case "publish": {
      const { position, localReceiverCount, duplicate = false } = await unary(client, "Publish", command);
      return { ok: { position: toldPosition(position), localReceiverCount, duplicate } };
    }
    case "end":
      return { ok: { position: toldPosition((await unary(client, "EndInterest", command)).position) } };
    case "close":
      for (const subscription of subscriptions.values()) {
        if (subscription.client === client) subscription.cancel();
      }
      client.stub.close();
      return { ok: {} };
    default:
      return { unsupported: `no command ${command.command.slice(0, 20)}` };
  }
}

function unary(client, method, { domain, filter, data, customerId, idempotencyKey, deadlineMs = 10_000 }) {
  const request = { domain, filter, customerId, idempotencyKey, data: data === undefined ? undefined : toValue(data) };
  if (customerId) request.audience = "AUDIENCE_CUSTOMER";
  return new Promise((resolve, reject) => {
    client.stub[method](request, client.metadata, { deadline: Date.now() + deadlineMs }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const { version } = JSON.parse(readFileSync("node_modules/@grpc/grpc-js/package.json", "utf8"));
say({ ready: true, version: `grpc-js ${version}, Node ${process.version}` });
const lines = createInterface(process.stdin);
lines.on("line", async (line) => {
  const command = JSON.parse(line);
  const answer = await handle(command).catch((error) => ({ error: toldError(error) }));
  say({ ...answer, id: command.id });
});
lines.on("close", () => process.exit(0));
