import type { PokeClient } from "./client.js";
import type { CallOptions, Publish, Published } from "./options.js";
import type { Sendable } from "./types.js";

/** How one poke is sent. */
export interface SendOptions extends CallOptions, Pick<Publish, "customerId" | "idempotencyKey"> {}

/**
 * Sends one poke, and waits until the service has accepted it: what a Lambda calls.
 *
 * It is tried again under one idempotency key as long as that can help, so it is delivered once. Make the client outside of the
 * handler, set a deadline that is shorter than the Lambda's, and let the key be the invocation's id if that is repeated.
 *
 * @throws PokeError: unless it `isFinal`, the outcome is unknown, and sending it later can help; else it wasn't sent.
 */
export function sendPoke(
  domain: string,
  filter: string,
  data: Sendable,
  client: PokeClient,
  { customerId, idempotencyKey, ...options }: SendOptions = {},
): Promise<Published> {
  return client.publish({ domain, filter, data, customerId, idempotencyKey }, options);
}
