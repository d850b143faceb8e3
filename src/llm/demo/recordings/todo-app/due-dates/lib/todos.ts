"use client";

import { useSyncExternalStore } from "react";

export type Todo = {
  id: string;
  text: string;
  done: boolean;
  /** A day as `YYYY-MM-DD`. */
  due?: string;
};

export type Filter = "all" | "active" | "done";

const KEY = "todos";
const NONE: Todo[] = [];

let todos: Todo[] | undefined;
const listeners = new Set<() => void>();

function read(): Todo[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]") as Todo[];
  } catch {
    return NONE;
  }
}

function snapshot(): Todo[] {
  todos ??= read();
  return todos;
}

function update(next: Todo[]) {
  todos = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // A browser that stores nothing here (a private window, say) keeps the list until the page is closed.
  }
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void) {
  // Another tab changed the list.
  const onStorage = (event: StorageEvent) => {
    if (event.key === KEY) {
      todos = undefined;
      listener();
    }
  };
  listeners.add(listener);
  window.addEventListener("storage", onStorage);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", onStorage);
  };
}

/** The list, kept in the browser's storage; empty on the server. */
export function useTodos(): Todo[] {
  return useSyncExternalStore(subscribe, snapshot, () => NONE);
}

/** `crypto.randomUUID()` would do, but only on pages that came by https or from this machine. */
function createId(): string {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}

export function addTodo(text: string, due?: string) {
  update([{ id: createId(), text, done: false, due }, ...snapshot()]);
}

export function toggleTodo(id: string) {
  update(snapshot().map((todo) => (todo.id === id ? { ...todo, done: !todo.done } : todo)));
}

export function removeTodo(id: string) {
  update(snapshot().filter((todo) => todo.id !== id));
}

export function clearDone() {
  update(snapshot().filter((todo) => !todo.done));
}

export function matches(todo: Todo, filter: Filter): boolean {
  return filter === "all" || (filter === "done") === todo.done;
}

/** What is due first comes first; what has no due date keeps its order behind. */
export function byDueDate(a: Todo, b: Todo): number {
  return (a.due ?? "9999").localeCompare(b.due ?? "9999");
}

/** Today where the user is, as `YYYY-MM-DD`. */
export function today(): string {
  return new Date().toLocaleDateString("sv-SE");
}
