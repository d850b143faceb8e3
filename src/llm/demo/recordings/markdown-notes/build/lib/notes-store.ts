"use client";

import { useSyncExternalStore } from "react";

import { EXAMPLES, type Note } from "@/lib/notes";

const STORAGE_KEY = "markdown-notes";

const listeners = new Set<() => void>();
let current: readonly Note[] | null = null;

function isNote(value: unknown): value is Note {
  if (typeof value !== "object" || value === null) return false;
  const note = value as Record<string, unknown>;
  return (
    typeof note.id === "string" &&
    typeof note.text === "string" &&
    (note.editedAt === null || typeof note.editedAt === "number")
  );
}

function load(): readonly Note[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null");
    if (Array.isArray(stored) && stored.every(isNote)) return stored;
  } catch {
    // Unreadable or blocked storage: start from the examples.
  }
  return EXAMPLES;
}

function getSnapshot(): readonly Note[] {
  current ??= load();
  return current;
}

function getServerSnapshot(): readonly Note[] {
  return EXAMPLES;
}

function notify() {
  for (const listener of listeners) listener();
}

/** Another tab changed the notes. */
function onStorage(event: StorageEvent) {
  if (event.key !== null && event.key !== STORAGE_KEY) return;
  current = null;
  notify();
}

function subscribe(listener: () => void) {
  if (listeners.size === 0) window.addEventListener("storage", onStorage);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener("storage", onStorage);
  };
}

function change(notes: readonly Note[]) {
  current = notes;
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(notes));
  } catch {
    // The notes still work, they only are not remembered.
  }
  notify();
}

/** All notes, the newest first. */
export function useNotes(): readonly Note[] {
  return useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);
}

/** Adds an empty note, and returns its id. */
export function addNote(): string {
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  change([{ id, text: "", editedAt: Date.now() }, ...getSnapshot()]);
  return id;
}

export function writeNote(id: string, text: string) {
  change(getSnapshot().map((note) => (note.id === id ? { ...note, text, editedAt: Date.now() } : note)));
}

/** Removes the note, and returns what puts it back in its place. */
export function removeNote(id: string): () => void {
  const index = getSnapshot().findIndex((note) => note.id === id);
  const note = getSnapshot()[index];
  if (!note) return () => {};
  change(getSnapshot().filter((other) => other !== note));
  return () => change(getSnapshot().toSpliced(index, 0, note));
}
