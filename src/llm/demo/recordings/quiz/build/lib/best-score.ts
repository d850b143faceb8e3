"use client";

import { useSyncExternalStore } from "react";

const STORAGE_KEY = "quiz-best";

const listeners = new Set<() => void>();
let current: number | null | undefined;

function load(): number | null {
  try {
    const stored = Number.parseInt(localStorage.getItem(STORAGE_KEY) ?? "");
    return Number.isFinite(stored) ? stored : null;
  } catch {
    // Blocked storage.
    return null;
  }
}

function getSnapshot(): number | null {
  if (current === undefined) current = load();
  return current;
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The best score so far, remembered in the browser; null before the first. */
export function useBestScore(): number | null {
  return useSyncExternalStore(subscribe, getSnapshot, () => null);
}

/** Keeps the score if none was better. */
export function keepScore(score: number) {
  const best = getSnapshot();
  if (best !== null && best >= score) return;
  current = score;
  try {
    localStorage.setItem(STORAGE_KEY, String(score));
  } catch {
    // The score counts until the page is closed.
  }
  for (const listener of listeners) listener();
}
