/** What `/console/status` says: the server's numbers at this moment. */
export interface Status {
  version: string;
  mode: "development" | "configured";
  health: "serving" | "draining";
  isReady: boolean;
  uptimeSeconds: number;
  epoch: string;
  configReloads: number;
  memory: { residentBytes: number; boundBytes: number | null; refuses: string[] };
  now: {
    connections: number;
    streams: number;
    streamsStalled: number;
    interests: number;
    retainedPokes: number;
    retainedBytes: number;
    endsBytes: number;
    idempotencyKeys: number;
    requestBytes: number;
  };
  total: {
    published: number;
    duplicates: number;
    delivered: number;
    deliveredBytes: number;
    ended: number;
    gaps: number;
    publishRefused: number;
    rateLimited: number;
    streamsOpened: number;
    streamsRefused: number;
    connectionsOpened: number;
    connectionsRefused: number;
    shed: number;
  };
  /** How often something was refused since the start, by the reasons that have occurred. */
  refused: Refused[];
}

/** What was refused, and why: the label of the metric that counts it, such as `resource_exhausted`. */
export interface Refused {
  what: "call" | "stream" | "connection";
  reason: string;
  count: number;
}

/** One domain; without a name, each that has no section of its own. */
export interface Domain {
  name: string | null;
  audience: "everyone" | "customer";
  retainedPokes: number;
  retainedBytes: number;
  publisherRate: number | null;
  rate: number | null;
  publishers: string[];
  subscribers: string;
}

/** What `/console/settings` says: what holds on the server. */
export interface Settings {
  maxPokeBytes: number;
  maxDataDepth: number;
  windowSeconds: number;
  bounds: { name: string; value: string; reason: string }[];
  domains: Domain[];
}

/** What the page knows of the server. */
export type ServerState =
  | { kind: "asking" }
  /** `since`: when it last answered. */
  | { kind: "known"; status: Status; settings: Settings | undefined; lost?: { since: Date; why: string } }
  /** The server doesn't show its state to whoever looks. */
  | { kind: "refused"; needsKey: boolean; why: string }
  | { kind: "lost"; why: string };
