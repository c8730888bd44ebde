// What happens, as all adapters tell it.
import type { Interest, PokeError, PokeEvent } from "../../../client/typescript/src/index.js";

export function toldEvent(event: PokeEvent): object {
  switch (event.type) {
    case "poke": {
      const { interest, data, position, publishTime } = event;
      return { event: "poke", ...toldInterest(interest), data, position, publishTime: publishTime.toISOString() };
    }
    case "gap": {
      const { interest, reason, position, missedCount, reloadAfter } = event;
      const reloadAfterMs = Math.round(reloadAfter);
      return { event: "gap", ...toldInterest(interest), reason: reason.toUpperCase(), position, missedCount, reloadAfterMs };
    }
    case "ended":
      return { event: "ended", ...toldInterest(event.interest), position: event.position, data: event.data };
    case "rejected": {
      const { interest, code, reason, message, isFinal } = event;
      return { event: "rejected", ...toldInterest(interest), code, reason, message, final: isFinal };
    }
    case "live": {
      const { interest, position, outcome } = event;
      return { event: "live", ...toldInterest(interest), position, outcome: outcome.toUpperCase() };
    }
    case "connected":
      return { event: "connected", streamId: event.streamId };
    case "reconnecting":
      return { event: "reconnecting", cause: event.cause.message, delayMs: Math.round(event.delay) };
  }
}

export function toldError({ code, reason, httpStatus, message }: Partial<PokeError>): object {
  return { code, reason, httpStatus, message };
}

function toldInterest({ domain, filter, audience }: Interest): object {
  return { domain, filter, audience: audience === "customer" ? "AUDIENCE_CUSTOMER" : undefined };
}
