// gRPC-Web by Node's fetch. Browsers are tested in tests/browser.
import { createClient } from "multicast-poke/web";
import { behaves } from "./behaviour.js";

behaves("gRPC-Web", createClient);
