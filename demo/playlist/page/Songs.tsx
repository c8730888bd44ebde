import {
  closestCenter,
  DndContext,
  type DragEndEvent,
  KeyboardSensor,
  PointerSensor,
  useSensor,
  useSensors,
} from "@dnd-kit/core";
import { arrayMove, SortableContext, sortableKeyboardCoordinates, verticalListSortingStrategy } from "@dnd-kit/sortable";
import { useRef } from "react";
import type { Change, Track } from "../model.js";
import type { Wish } from "./PlaylistPage.js";
import { Song } from "./Song.js";

interface Props {
  tracks: Track[];
  theirs: Change | undefined;
  edit: (wish: Wish) => void;
}

/** The songs, in an order that can be changed by mouse, finger and keyboard. */
export function Songs({ tracks, theirs, edit }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const sensors = useSensors(
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const placeOf = (id: unknown) => tracks.findIndex((track) => track.id === id);
  const titleOf = (id: unknown) => tracks[placeOf(id)]?.title ?? "The song";

  const drop = ({ active, over }: DragEndEvent) => {
    const [from, to] = [placeOf(active.id), placeOf(over?.id)];
    if (from < 0 || to < 0 || from === to) return;
    const after = arrayMove(tracks, from, to)[to - 1]?.id ?? null;
    edit({ type: "move", trackId: String(active.id), after });
  };
  const remove = (track: Track) => {
    edit({ type: "remove", trackId: track.id });
    // The focus stays where it was, not at the start of the page.
    const rows = list.current?.querySelectorAll<HTMLElement>("button.remove");
    const place = placeOf(track.id);
    (rows?.[place + 1] ?? rows?.[place - 1] ?? list.current)?.focus();
  };
  const place = (over: { id: unknown } | null) => `place ${placeOf(over?.id) + 1} of ${tracks.length}`;

  return (
    <>
      <DndContext
        sensors={sensors}
        collisionDetection={closestCenter}
        onDragEnd={drop}
        accessibility={{
          screenReaderInstructions: {
            draggable:
              "Press Space to pick the song up, the arrow keys to move it, Space to put it down, Escape to leave it.",
          },
          announcements: {
            onDragStart: ({ active }) => `${titleOf(active.id)} is picked up, at ${place(active)}.`,
            onDragOver: ({ active, over }) => `${titleOf(active.id)} is at ${place(over)}.`,
            onDragEnd: ({ active, over }) => `${titleOf(active.id)} is put down at ${place(over)}.`,
            onDragCancel: ({ active }) => `${titleOf(active.id)} is back where it was.`,
          },
        }}
      >
        <SortableContext items={tracks} strategy={verticalListSortingStrategy}>
          <ol ref={list} tabIndex={-1} aria-label="Songs">
            {tracks.map((track, index) => (
              <Song
                key={track.id}
                track={track}
                place={index + 1}
                touched={touches(theirs, track)}
                remove={() => remove(track)}
              />
            ))}
          </ol>
        </SortableContext>
      </DndContext>
      {tracks.length === 0 && <p className="empty">No songs yet. Add the first one below.</p>}
      <p className="heard" aria-live="polite">
        {theirs && wordsFor(theirs)}
      </p>
    </>
  );
}

/** The version in which somebody else has touched a song last, as far as it is the newest of theirs. */
function touches(theirs: Change | undefined, track: Track): number | undefined {
  if (!theirs) return undefined;
  const { edit } = theirs;
  const id = edit.type === "add" ? edit.track.id : edit.type === "move" ? edit.trackId : undefined;
  return id === track.id ? theirs.version : undefined;
}

function wordsFor({ edit }: Change): string {
  switch (edit.type) {
    case "add":
      return `Somebody added ${edit.track.title}.`;
    case "remove":
      return "Somebody removed a song.";
    case "move":
      return "Somebody moved a song.";
    case "rename":
      return `Somebody named the playlist ${edit.name}.`;
  }
}
