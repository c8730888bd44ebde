// The adapter in Node: `node` for gRPC, `web` for gRPC-Web by fetch.
import { createInterface } from "node:readline";
import * as node from "../../../client/typescript/src/node.js";
import * as web from "../../../client/typescript/src/web.js";
import { serve } from "./adapter.js";

const [transport, name] = process.argv[2] === "web" ? [web, "gRPC-Web by fetch"] : [node, "gRPC"];
const version = `multicast-poke 0.1.0 (${name}), Node ${process.version}`;
const take = serve(version, transport.createClient, (line) => process.stdout.write(`${line}\n`));
const lines = createInterface(process.stdin);
lines.on("line", take);
lines.on("close", () => process.exit(0));
