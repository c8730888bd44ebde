import type { Track } from "../model.js";

/** A picture for a song: two hues that come from its words. */
export function Art({ track }: { track: Track }) {
  const hue = hueOf(`${track.title}${track.artist}`);
  return <span className="art" aria-hidden="true" style={{ "--hue": hue, "--turn": hue % 90 } as React.CSSProperties} />;
}

/** The pictures of the first four songs. */
export function Cover({ tracks }: { tracks: Track[] }) {
  return (
    <div className="cover" aria-hidden="true">
      {tracks.slice(0, 4).map((track) => (
        <Art key={track.id} track={track} />
      ))}
    </div>
  );
}

/** FNV-1a: near words have far hues. */
function hueOf(words: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(words)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % 360;
}
