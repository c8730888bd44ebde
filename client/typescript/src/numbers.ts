// The numbers of the behaviour (client/README.md, "Numbers"), in milliseconds.

export const COALESCE = 50;
export const CHANGE_INTERVAL = 1000;
export const BACKOFF_MIN = 500;
export const BACKOFF_MAX = 30_000;
export const PROVED_AFTER = 30_000;
export const WELCOME_WITHIN = 10_000;
export const MAX_DOUBLINGS = 3;
export const GLANCE = 5000;
/** Interests, not time: what a call carries until the server has named its limit. */
export const ASSUMED_LIMIT = 100;
/** Events, not time. */
export const EVENT_BUFFER = 64;
export const DEADLINE = 10_000;
export const SHORTEST_ATTEMPT = 1000;
export const CONNECT_WITHIN = 4000;
export const DEFAULT_HEARTBEAT = 20_000;
/** Longer durations from the wire are no plan. */
export const LONGEST_DURATION = 24 * 60 * 60 * 1000;
