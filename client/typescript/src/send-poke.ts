import type { CallOptions, PokeClient, Published } from "./client.js";
import type { Data } from "./types.js";

/**
 * Sends one poke, and waits until the service has accepted it: what a Lambda calls.
 *
 * It is tried again under one idempotency key as long as that can help, so it is delivered once. Make the client outside of the
 * handler, and set a deadline that is shorter than the Lambda's.
 *
 * @throws PokeError: unless it `isFinal`, the outcome is unknown, and sending it later can help; else it wasn't sent.
 */
export function sendPoke(
  domain: string,
  filter: string,
  data: Data,
  client: PokeClient,
  options: CallOptions = {},
): Promise<Published> {
  return client.publish({ domain, filter, data }, options);
}
