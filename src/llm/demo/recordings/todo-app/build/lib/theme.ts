"use client";

import { useSyncExternalStore } from "react";

/** Before the first paint, so that a dark page never flashes white. */
export const themeScript = `(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {}
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
})()`;

let applied = false;

/** The script above runs in a page that was loaded. One that is there already gets this file by hot reload, and no script. */
function applyOnce() {
  if (applied) return;
  applied = true;
  let chosen: string | null = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // As in the script: what the system prefers.
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
}

function subscribe(listener: () => void) {
  applyOnce();
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributeFilter: ["class"] });
  return () => observer.disconnect();
}

/** Whether the page is dark right now. */
export function useDark(): boolean {
  return useSyncExternalStore(
    subscribe,
    () => document.documentElement.classList.contains("dark"),
    () => false,
  );
}

export function setDark(dark: boolean) {
  document.documentElement.classList.toggle("dark", dark);
  try {
    localStorage.setItem("theme", dark ? "dark" : "light");
  } catch {
    // Not every browser lets a page store something; the choice then lasts as long as the page.
  }
}
