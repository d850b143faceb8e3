"use client";

import { useSyncExternalStore } from "react";

const STORAGE_KEY = "weather-favorites";
const NONE: readonly string[] = [];

const listeners = new Set<() => void>();
let current: readonly string[] | null = null;

function load(): readonly string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "[]");
    return Array.isArray(stored) ? stored.filter((id) => typeof id === "string") : NONE;
  } catch {
    // Unreadable or blocked storage.
    return NONE;
  }
}

function getSnapshot(): readonly string[] {
  current ??= load();
  return current;
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The ids of the favorite cities, in the order they were chosen. */
export function useFavorites(): readonly string[] {
  return useSyncExternalStore(subscribe, getSnapshot, () => NONE);
}

export function toggleFavorite(id: string) {
  const before = getSnapshot();
  current = before.includes(id) ? before.filter((other) => other !== id) : [...before, id];
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(current));
  } catch {
    // The star counts, it only is not remembered.
  }
  for (const listener of listeners) listener();
}
