"use client";

import { useEffect, useRef, useState } from "react";

import { BoardColumn } from "@/components/board-column";
import { BoardHeader } from "@/components/board-header";
import { TaskDialog, type TaskEditor } from "@/components/task-dialog";
import { UndoBar } from "@/components/undo-bar";
import {
  COLUMNS,
  columnTitle,
  createId,
  findTask,
  insertTask,
  moveTask,
  removeTask,
  stepFrom,
  updateTask,
  type ColumnId,
  type Direction,
  type Position,
  type Task,
  type TaskDraft,
} from "@/lib/board";
import { changeBoard, useBoard } from "@/lib/board-store";

interface Deleted extends Position {
  task: Task;
}

export function KanbanBoard() {
  const board = useBoard();
  const [editor, setEditor] = useState<TaskEditor>({ column: "backlog", task: null });
  const [editorOpen, setEditorOpen] = useState(false);
  const [draggedId, setDraggedId] = useState<string | null>(null);
  const [dropTarget, setDropTarget] = useState<Position | null>(null);
  const [deleted, setDeleted] = useState<Deleted | null>(null);
  const [announcement, setAnnouncement] = useState("");

  const columnsRef = useRef<HTMLDivElement>(null);
  /** Where the focus goes, and which card comes into view, once the board has changed. */
  const focusNext = useRef<string | null>(null);
  const revealNext = useRef<string | null>(null);

  useEffect(() => {
    const focus = focusNext.current;
    const reveal = revealNext.current;
    focusNext.current = null;
    revealNext.current = null;
    if (reveal) {
      columnsRef.current?.querySelector(`[data-task-id="${reveal}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    if (focus) columnsRef.current?.querySelector<HTMLElement>(focus)?.focus();
  }, [board]);

  function openEditor(next: TaskEditor) {
    setEditor(next);
    setEditorOpen(true);
  }

  function saveTask(draft: TaskDraft, column: ColumnId) {
    const { task } = editor;
    const id = task?.id ?? createId();
    revealNext.current = id;
    if (task) {
      changeBoard((current) => updateTask(current, id, draft, column));
      setAnnouncement(`Saved ${draft.title}.`);
    } else {
      changeBoard((current) => insertTask(current, { ...draft, id }, { column, index: current[column].length }));
      setAnnouncement(`Added ${draft.title} to ${columnTitle(column)}.`);
    }
    setEditorOpen(false);
  }

  function deleteTask(task: Task) {
    const found = findTask(board, task.id);
    if (!found) return;
    focusNext.current = `[data-add-to="${found.column}"]`;
    changeBoard((current) => removeTask(current, task.id));
    setDeleted({ task, column: found.column, index: found.index });
  }

  function undoDelete() {
    if (!deleted) return;
    const { task, column, index } = deleted;
    focusNext.current = `[data-task-id="${task.id}"] button`;
    changeBoard((current) => insertTask(current, task, { column, index }));
    setDeleted(null);
    setAnnouncement(`Restored ${task.title}.`);
  }

  function place(task: Task, to: Position) {
    changeBoard((current) => moveTask(current, task.id, to));
    setAnnouncement(`Moved ${task.title} to ${columnTitle(to.column)}, position ${to.index + 1}.`);
  }

  function stepTask(task: Task, direction: Direction) {
    const from = findTask(board, task.id);
    const to = from && stepFrom(board, from, direction);
    if (!to) return;
    focusNext.current = `[data-task-id="${task.id}"] [data-move="${direction}"]`;
    revealNext.current = task.id;
    place(task, to);
  }

  function endDrag() {
    setDraggedId(null);
    setDropTarget(null);
  }

  function dragOver(position: Position | null) {
    setDropTarget((previous) =>
      previous?.column === position?.column && previous?.index === position?.index ? previous : position,
    );
  }

  function drop(position: Position) {
    const from = draggedId === null ? null : findTask(board, draggedId);
    endDrag();
    if (!from) return;
    // The position counts the dragged card too; without it, what follows moves up.
    const shift = from.column === position.column && from.index < position.index ? 1 : 0;
    place(from.task, { column: position.column, index: position.index - shift });
  }

  const total = COLUMNS.reduce((sum, { id }) => sum + board[id].length, 0);

  return (
    <div className="flex h-dvh flex-col bg-background">
      <BoardHeader total={total} done={board.done.length} onAdd={() => openEditor({ column: "backlog", task: null })} />

      <main className="min-h-0 flex-1">
        <div
          ref={columnsRef}
          className="flex h-full snap-x snap-mandatory scroll-px-4 items-start gap-4 overflow-x-auto p-4 sm:snap-none sm:p-6"
        >
          {COLUMNS.map((column) => (
            <BoardColumn
              key={column.id}
              column={column}
              board={board}
              draggedId={draggedId}
              dropIndex={dropTarget?.column === column.id ? dropTarget.index : null}
              onAdd={() => openEditor({ column: column.id, task: null })}
              onEdit={(task) => openEditor({ column: column.id, task })}
              onDelete={deleteTask}
              onStep={stepTask}
              onDragStart={setDraggedId}
              onDragEnd={endDrag}
              onDragOver={dragOver}
              onDrop={drop}
            />
          ))}
        </div>
      </main>

      <TaskDialog editor={editor} open={editorOpen} onOpenChange={setEditorOpen} onSave={saveTask} />

      {deleted && (
        <UndoBar key={deleted.task.id} title={deleted.task.title} onUndo={undoDelete} onDismiss={() => setDeleted(null)} />
      )}

      <p role="status" className="sr-only">
        {announcement}
      </p>
    </div>
  );
}
