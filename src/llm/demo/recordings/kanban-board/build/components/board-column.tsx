import type { DragEvent } from "react";
import { Plus } from "lucide-react";

import { TaskCard } from "@/components/task-card";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { stepFrom, type Board, type ColumnDefinition, type Direction, type Position, type Task } from "@/lib/board";
import { cn } from "@/lib/utils";

interface BoardColumnProps {
  column: ColumnDefinition;
  board: Board;
  draggedId: string | null;
  dropIndex: number | null;
  onAdd: () => void;
  onEdit: (task: Task) => void;
  onDelete: (task: Task) => void;
  onStep: (task: Task, direction: Direction) => void;
  onDragStart: (id: string) => void;
  onDragEnd: () => void;
  onDragOver: (position: Position | null) => void;
  onDrop: (position: Position) => void;
}

/** The index at which a card dropped at this height would be inserted. */
function indexAt(event: DragEvent<HTMLElement>): number {
  const cards = [...event.currentTarget.querySelectorAll("[data-task-id]")];
  const index = cards.findIndex((card) => {
    const { top, height } = card.getBoundingClientRect();
    return event.clientY < top + height / 2;
  });
  return index === -1 ? cards.length : index;
}

export function BoardColumn({
  column,
  board,
  draggedId,
  dropIndex,
  onAdd,
  onEdit,
  onDelete,
  onStep,
  onDragStart,
  onDragEnd,
  onDragOver,
  onDrop,
}: BoardColumnProps) {
  const tasks = board[column.id];
  const headingId = `column-${column.id}`;

  function handleDragOver(event: DragEvent<HTMLElement>) {
    if (draggedId === null) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "move";
    onDragOver({ column: column.id, index: indexAt(event) });
  }

  function handleDragLeave(event: DragEvent<HTMLElement>) {
    const next = event.relatedTarget;
    if (next instanceof Node && event.currentTarget.contains(next)) return;
    onDragOver(null);
  }

  function handleDrop(event: DragEvent<HTMLElement>) {
    if (draggedId === null) return;
    event.preventDefault();
    onDrop({ column: column.id, index: indexAt(event) });
  }

  return (
    <section
      aria-labelledby={headingId}
      onDragOver={handleDragOver}
      onDragLeave={handleDragLeave}
      onDrop={handleDrop}
      className={cn(
        "flex max-h-full w-[82vw] max-w-80 shrink-0 snap-start flex-col rounded-xl border bg-muted/70 transition-colors sm:w-72 dark:bg-muted/25 lg:w-auto lg:max-w-96 lg:min-w-64 lg:flex-1",
        dropIndex !== null && "border-primary/40 bg-muted dark:bg-muted/40",
      )}
    >
      <div className="flex items-center gap-2 px-4 pt-3 pb-1">
        <span aria-hidden className={cn("size-2 rounded-full", column.dot)} />
        <h2 id={headingId} className="text-sm font-semibold">
          {column.title}
        </h2>
        <Badge
          variant="outline"
          aria-label={`${tasks.length} ${tasks.length === 1 ? "card" : "cards"}`}
          role="img"
          className="ml-auto bg-background tabular-nums"
        >
          {tasks.length}
        </Badge>
      </div>

      <ul aria-labelledby={headingId} className="flex min-h-16 flex-col gap-2.5 overflow-y-auto overscroll-y-contain p-3">
        {tasks.map((task, index) => {
          const at = { column: column.id, index };
          return (
            <TaskCard
              key={task.id}
              task={task}
              targets={{
                left: stepFrom(board, at, "left"),
                right: stepFrom(board, at, "right"),
                up: stepFrom(board, at, "up"),
                down: stepFrom(board, at, "down"),
              }}
              dragged={task.id === draggedId}
              dropBefore={dropIndex === index}
              dropAfter={index === tasks.length - 1 && dropIndex === tasks.length}
              onEdit={() => onEdit(task)}
              onDelete={() => onDelete(task)}
              onStep={(direction) => onStep(task, direction)}
              onDragStart={() => onDragStart(task.id)}
              onDragEnd={onDragEnd}
            />
          );
        })}
        {tasks.length === 0 && (
          <li
            className={cn(
              "rounded-lg border border-dashed px-3 py-6 text-center text-sm text-muted-foreground transition-colors",
              dropIndex !== null && "border-primary text-foreground",
            )}
          >
            {dropIndex === null ? "No cards yet" : "Drop it here"}
          </li>
        )}
      </ul>

      <div className="p-2 pt-0">
        <Button
          variant="ghost"
          size="sm"
          data-add-to={column.id}
          aria-label={`Add card to ${column.title}`}
          className="w-full justify-start text-muted-foreground"
          onClick={onAdd}
        >
          <Plus aria-hidden />
          Add card
        </Button>
      </div>
    </section>
  );
}
