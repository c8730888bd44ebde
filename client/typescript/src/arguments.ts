import { checkText, refuse } from "./data.js";
import { keyOf, type Start } from "./interests.js";
import type { ListenOptions } from "./options.js";
import type { Interest, Position, SavedPosition } from "./types.js";

/**
 * What a program wants to listen to, each once, in copies that nobody changes.
 *
 * @throws PokeError INVALID_ARGUMENT, for programs without types and for positions from somewhere else.
 */
export function checkWanted(
  interests: Interest | readonly Interest[],
  { positions, latest }: ListenOptions,
): [Interest, Start][] {
  // Where nothing was saved yet, most stores say null.
  const list: readonly SavedPosition[] = positions ?? [];
  if (!Array.isArray(list)) refuse("positions", "must be a list");
  const saved = new Map(list.map((one, at) => checkSaved(one, `positions[${at}]`)));
  const wanted = new Map<string, [Interest, Start]>();
  for (const [at, one] of [interests].flat().entries()) {
    const interest = checkInterest(one, `interests[${at}]`);
    wanted.set(keyOf(interest), [interest, { after: saved.get(keyOf(interest)), latest }]);
  }
  return wanted.size > 0 ? [...wanted.values()] : refuse("interests", "must not be empty");
}

function checkInterest(interest: Interest, path: string): Interest {
  const domain = checkText(interest?.domain, `${path}.domain`);
  const filter = checkText(interest.filter, `${path}.filter`);
  const audience = interest.audience ?? "everyone";
  if (audience !== "everyone" && audience !== "customer") refuse(`${path}.audience`, `must be "everyone" or "customer"`);
  return Object.freeze(audience === "customer" ? { domain, filter, audience } : { domain, filter });
}

function checkSaved(saved: SavedPosition, path: string): [string, Position] {
  return [keyOf(checkInterest(saved, path)), checkPosition(saved.position, `${path}.position`)];
}

function checkPosition(position: Position, path: string): Position {
  const epoch = checkText(position?.epoch, `${path}.epoch`);
  const sequence = checkText(position.sequence, `${path}.sequence`);
  if (!/^-?\d{1,19}$/.test(sequence) || BigInt.asIntN(64, BigInt(sequence)) !== BigInt(sequence)) {
    refuse(`${path}.sequence`, "must be an integer of 64 bits, as text");
  }
  return { epoch, sequence };
}
