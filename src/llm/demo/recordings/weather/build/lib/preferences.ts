"use client";

import { useSyncExternalStore } from "react";

import { CITIES } from "@/lib/cities";
import type { Unit } from "@/lib/weather";

export interface Preferences {
  cityId: string;
  unit: Unit;
}

const STORAGE_KEY = "weather";
const DEFAULTS: Preferences = { cityId: "lisbon", unit: "C" };

const listeners = new Set<() => void>();
let current: Preferences | null = null;

function load(): Preferences {
  try {
    const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}") as Partial<Preferences> | null;
    return {
      cityId: CITIES.find((city) => city.id === stored?.cityId)?.id ?? DEFAULTS.cityId,
      unit: stored?.unit === "F" ? "F" : DEFAULTS.unit,
    };
  } catch {
    // Unreadable or blocked storage.
    return DEFAULTS;
  }
}

function getSnapshot(): Preferences {
  current ??= load();
  return current;
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The chosen city and unit, remembered in the browser. */
export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, getSnapshot, () => DEFAULTS);
}

export function prefer(change: Partial<Preferences>) {
  current = { ...getSnapshot(), ...change };
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(current));
  } catch {
    // The choice counts, it only is not remembered.
  }
  for (const listener of listeners) listener();
}
