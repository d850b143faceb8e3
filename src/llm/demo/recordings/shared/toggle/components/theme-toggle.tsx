"use client";

import { useSyncExternalStore } from "react";
import { Moon, Sun } from "lucide-react";

import { Button } from "@/components/ui/button";
import { THEME_KEY } from "@/lib/theme";

function applyTheme(dark: boolean) {
  const root = document.documentElement;
  root.classList.toggle("dark", dark);
  root.style.colorScheme = dark ? "dark" : "light";
}

let applied = false;

/** The layout's script runs in a page that was loaded. One that is there already gets the toggle by hot reload, and no script. */
function applyOnce() {
  if (applied) return;
  applied = true;
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(THEME_KEY);
  } catch {
    // As in the script: what the system prefers.
  }
  applyTheme(stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
}

/** The class on <html> is the state; other tabs are followed by their storage event. */
function subscribe(listener: () => void) {
  applyOnce();
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  const onStorage = (event: StorageEvent) => {
    if (event.key === THEME_KEY && event.newValue) applyTheme(event.newValue === "dark");
  };
  window.addEventListener("storage", onStorage);
  return () => {
    observer.disconnect();
    window.removeEventListener("storage", onStorage);
  };
}

function getSnapshot() {
  return document.documentElement.classList.contains("dark");
}

function getServerSnapshot() {
  return false;
}

export function ThemeToggle() {
  const dark = useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);

  function toggle() {
    applyTheme(!dark);
    try {
      localStorage.setItem(THEME_KEY, dark ? "light" : "dark");
    } catch {
      // The theme still changes, it only is not remembered.
    }
  }

  return (
    <Button
      variant="outline"
      size="icon"
      aria-label="Dark mode"
      aria-pressed={dark}
      title={dark ? "Switch to light mode" : "Switch to dark mode"}
      onClick={toggle}
    >
      <Moon aria-hidden className="dark:hidden" />
      <Sun aria-hidden className="hidden dark:block" />
    </Button>
  );
}
