"use client";

import { useState } from "react";
import { FileText } from "lucide-react";

import { NoteEditor } from "@/components/note-editor";
import { NoteList } from "@/components/note-list";
import { NotesHeader } from "@/components/notes-header";
import { Button } from "@/components/ui/button";
import { UndoBar } from "@/components/undo-bar";
import { isFound, titleAndExcerpt } from "@/lib/notes";
import { addNote, removeNote, useNotes, writeNote } from "@/lib/notes-store";
import { cn } from "@/lib/utils";

interface Deleted {
  id: string;
  title: string;
  restore: () => void;
}

export function NotesApp() {
  const notes = useNotes();
  const [selectedId, setSelectedId] = useState<string | null>(null);
  /** On a phone there is room for the list or a note. */
  const [listShown, setListShown] = useState(true);
  const [query, setQuery] = useState("");
  const [deleted, setDeleted] = useState<Deleted | null>(null);

  const shown = notes.filter((note) => isFound(note, query));
  const selected = notes.find((note) => note.id === selectedId) ?? shown[0];

  function open(id: string) {
    setSelectedId(id);
    setListShown(false);
  }

  function add() {
    setQuery("");
    open(addNote());
  }

  function remove() {
    if (!selected) return;
    const index = shown.indexOf(selected);
    setDeleted({ id: selected.id, title: titleAndExcerpt(selected.text).title, restore: removeNote(selected.id) });
    setSelectedId((shown[index + 1] ?? shown[index - 1])?.id ?? null);
    setListShown(true);
  }

  function undo() {
    if (!deleted) return;
    deleted.restore();
    setSelectedId(deleted.id);
    setDeleted(null);
  }

  return (
    <main className="flex h-dvh overflow-hidden">
      <div className={cn("flex w-full flex-col bg-muted/50 md:flex md:w-64 md:shrink-0 md:border-r", !listShown && "hidden")}>
        <NotesHeader onAdd={add} />
        <NoteList notes={shown} selectedId={selected?.id} query={query} onQuery={setQuery} onSelect={open} />
      </div>
      <div className={cn("min-w-0 flex-1 md:flex", listShown ? "hidden" : "flex")}>
        {selected ? (
          <NoteEditor
            note={selected}
            onWrite={(text) => writeNote(selected.id, text)}
            onDelete={remove}
            onBack={() => setListShown(true)}
          />
        ) : (
          <div className="m-auto grid justify-items-center gap-4 p-8 text-center">
            <FileText aria-hidden className="size-10 text-muted-foreground/50" />
            <p className="text-muted-foreground">{notes.length === 0 ? "You have no notes." : "No note was found."}</p>
            <Button onClick={add}>Write a note</Button>
          </div>
        )}
      </div>
      {deleted && <UndoBar key={deleted.id} title={deleted.title} onUndo={undo} onDismiss={() => setDeleted(null)} />}
    </main>
  );
}
