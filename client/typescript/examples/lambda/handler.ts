// A Lambda that tells everyone who looks at a playlist that it has changed.
import { type Published, sendPoke } from "multicast-poke";
import { createClient } from "multicast-poke/node";

/** What invokes it, for example from an EventBridge rule or a DynamoDB stream. */
export interface PlaylistChange {
  playlistId: string;
  added: string[];
  removed: string[];
}

// Made once, outside of the handler: invocations share its connection, and one that died while the Lambda was frozen is
// replaced by itself.
const client = createClient(process.env.POKE_URL ?? "", { token: process.env.POKE_TOKEN });

// Kept of the Lambda's time, so that it fails with the reason and not by being cut off.
const RESERVE = 500;

export async function handler(
  { playlistId, added, removed }: PlaylistChange,
  context: { awsRequestId: string; getRemainingTimeInMillis(): number },
): Promise<Published> {
  return await sendPoke("PLAYLIST", playlistId, { added, removed }, client, {
    deadline: context.getRemainingTimeInMillis() - RESERVE,
    // Lambda keeps the id when it invokes again after a failure: the poke is delivered once.
    idempotencyKey: context.awsRequestId,
  });
}
