// The adapter in a page: chromium.mjs gives it lines, and takes those that it says.
import { createClient } from "../../../client/typescript/src/web.js";
import { serve } from "./adapter.js";

declare global {
  var sayLine: (line: string) => void;
  var takeLine: (line: string) => void;
}

const browser = /Chrome\/\S+/.exec(navigator.userAgent)?.[0].replace("/", " ") ?? navigator.userAgent;
globalThis.takeLine = serve(`multicast-poke 0.1.0 (gRPC-Web), ${browser}`, createClient, globalThis.sayLine);
