import { useSortable } from "@dnd-kit/sortable";
import { useEffect, useRef } from "react";
import type { Track } from "../model.js";
import { Art } from "./Cover.js";

interface Props {
  track: Track;
  place: number;
  /** A version in which somebody else has touched it: the row glows for a moment. */
  touched: number | undefined;
  remove: () => void;
}

/** One row. */
export function Song({ track, place, touched, remove }: Props) {
  const { attributes, listeners, setNodeRef, setActivatorNodeRef, transform, transition, isDragging } = useSortable({
    id: track.id,
    attributes: { roleDescription: "sortable song" },
  });
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (touched === undefined) return;
    const duration = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 2_400;
    row.current?.animate([{ backgroundColor: "var(--glow)" }, { backgroundColor: "transparent" }], {
      duration,
      easing: "ease-out",
    });
  }, [touched]);
  return (
    <li
      ref={setNodeRef}
      data-dragging={isDragging || undefined}
      style={{ transform: transform ? `translateY(${transform.y}px)` : undefined, transition }}
    >
      <div ref={row} className="row">
        <button
          type="button"
          ref={setActivatorNodeRef}
          className="grip"
          {...attributes}
          {...listeners}
          aria-label={`Move ${track.title}`}
        >
          <svg viewBox="0 0 10 16" aria-hidden="true">
            <path d="M3 3v.01M7 3v.01M3 8v.01M7 8v.01M3 13v.01M7 13v.01" />
          </svg>
        </button>
        <span className="place" aria-hidden="true">
          {place}
        </span>
        <Art track={track} />
        <span className="words">
          <span className="title">{track.title}</span>
          <span className="artist">{track.artist}</span>
        </span>
        <button type="button" className="remove" aria-label={`Remove ${track.title}`} onClick={remove}>
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M4 4l8 8M12 4l-8 8" />
          </svg>
        </button>
      </div>
    </li>
  );
}
