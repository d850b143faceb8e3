"use client";

import { useSyncExternalStore } from "react";

import { COLUMNS, LABELS, PRIORITIES, type Board, type Task } from "@/lib/board";
import { SAMPLE_BOARD } from "@/lib/sample-board";

const STORAGE_KEY = "kanban-board";

const listeners = new Set<() => void>();
let current: Board | null = null;

function isTask(value: unknown): value is Task {
  if (typeof value !== "object" || value === null) return false;
  const task = value as Record<string, unknown>;
  return (
    typeof task.id === "string" &&
    typeof task.title === "string" &&
    typeof task.description === "string" &&
    typeof task.label === "string" &&
    task.label in LABELS &&
    typeof task.priority === "string" &&
    task.priority in PRIORITIES
  );
}

function isBoard(value: unknown): value is Board {
  if (typeof value !== "object" || value === null) return false;
  const board = value as Record<string, unknown>;
  return COLUMNS.every(({ id }) => {
    const tasks = board[id];
    return Array.isArray(tasks) && tasks.every(isTask);
  });
}

function load(): Board {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null");
    if (isBoard(stored)) return stored;
  } catch {
    // Unreadable or blocked storage: start from the sample cards.
  }
  return SAMPLE_BOARD;
}

function getSnapshot(): Board {
  current ??= load();
  return current;
}

function getServerSnapshot(): Board {
  return SAMPLE_BOARD;
}

function notify() {
  for (const listener of listeners) listener();
}

/** Another tab changed the board. */
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

export function changeBoard(change: (board: Board) => Board) {
  const before = getSnapshot();
  const after = change(before);
  if (after === before) return;
  current = after;
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(after));
  } catch {
    // The board still works, it only is not remembered.
  }
  notify();
}

export function useBoard(): Board {
  return useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);
}
