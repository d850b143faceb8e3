export type ColumnId = "backlog" | "progress" | "review" | "done";
export type Priority = "low" | "medium" | "high";
export type Label = "design" | "engineering" | "marketing" | "research";
export type Direction = "left" | "right" | "up" | "down";

export interface Task {
  id: string;
  title: string;
  description: string;
  label: Label;
  priority: Priority;
}

/** What the card form edits: a task without its identity. */
export type TaskDraft = Omit<Task, "id">;

/** The cards of each column, in order. */
export type Board = Record<ColumnId, Task[]>;

export interface Position {
  column: ColumnId;
  index: number;
}

export interface ColumnDefinition {
  id: ColumnId;
  title: string;
  dot: string;
}

export const COLUMNS: readonly ColumnDefinition[] = [
  { id: "backlog", title: "Backlog", dot: "bg-slate-400" },
  { id: "progress", title: "In progress", dot: "bg-sky-500" },
  { id: "review", title: "Review", dot: "bg-amber-500" },
  { id: "done", title: "Done", dot: "bg-emerald-500" },
];

export const PRIORITIES: Record<Priority, { name: string; color: string }> = {
  low: { name: "Low", color: "text-slate-400" },
  medium: { name: "Medium", color: "text-amber-500" },
  high: { name: "High", color: "text-rose-500" },
};

export const LABELS: Record<Label, { name: string; chip: string }> = {
  design: {
    name: "Design",
    chip: "bg-violet-100 text-violet-700 dark:bg-violet-400/15 dark:text-violet-300",
  },
  engineering: {
    name: "Engineering",
    chip: "bg-sky-100 text-sky-800 dark:bg-sky-400/15 dark:text-sky-300",
  },
  marketing: {
    name: "Marketing",
    chip: "bg-pink-100 text-pink-700 dark:bg-pink-400/15 dark:text-pink-300",
  },
  research: {
    name: "Research",
    chip: "bg-emerald-100 text-emerald-800 dark:bg-emerald-400/15 dark:text-emerald-300",
  },
};

export function columnTitle(id: ColumnId): string {
  return COLUMNS.find((column) => column.id === id)?.title ?? id;
}

export function findTask(board: Board, id: string): (Position & { task: Task }) | null {
  for (const column of COLUMNS) {
    const index = board[column.id].findIndex((task) => task.id === id);
    const task = board[column.id][index];
    if (task) return { column: column.id, index, task };
  }
  return null;
}

export function insertTask(board: Board, task: Task, to: Position): Board {
  const tasks = [...board[to.column]];
  tasks.splice(to.index, 0, task);
  return { ...board, [to.column]: tasks };
}

export function removeTask(board: Board, id: string): Board {
  const found = findTask(board, id);
  if (!found) return board;
  return {
    ...board,
    [found.column]: board[found.column].filter((task) => task.id !== id),
  };
}

/** Moves a card; the index counts the target column without the card itself. */
export function moveTask(board: Board, id: string, to: Position): Board {
  const found = findTask(board, id);
  if (!found) return board;
  if (found.column === to.column && found.index === to.index) return board;
  return insertTask(removeTask(board, id), found.task, to);
}

/** Saves the form of an existing card; a new column puts it at that column's end. */
export function updateTask(board: Board, id: string, draft: TaskDraft, column: ColumnId): Board {
  const found = findTask(board, id);
  if (!found) return board;
  const index = found.column === column ? found.index : board[column].length;
  return insertTask(removeTask(board, id), { ...draft, id }, { column, index });
}

/** Where one step in a direction leads, or null at the board's edge. */
export function stepFrom(board: Board, from: Position, direction: Direction): Position | null {
  if (direction === "up") {
    return from.index > 0 ? { ...from, index: from.index - 1 } : null;
  }
  if (direction === "down") {
    return from.index < board[from.column].length - 1 ? { ...from, index: from.index + 1 } : null;
  }
  const at = COLUMNS.findIndex((column) => column.id === from.column);
  const next = COLUMNS[direction === "left" ? at - 1 : at + 1];
  if (!next) return null;
  return { column: next.id, index: Math.min(from.index, board[next.id].length) };
}

export function createId(): string {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}
