import type { DragEvent } from "react";
import { ArrowDown, ArrowLeft, ArrowRight, ArrowUp, Flag, Pencil, Trash2 } from "lucide-react";

import { IconButton } from "@/components/icon-button";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { LABELS, PRIORITIES, columnTitle, type Direction, type Position, type Task } from "@/lib/board";
import { cn } from "@/lib/utils";

const MOVES = [
  { direction: "left", icon: ArrowLeft },
  { direction: "up", icon: ArrowUp },
  { direction: "down", icon: ArrowDown },
  { direction: "right", icon: ArrowRight },
] as const;

/** Quiet until the card is pointed at or focused; always there on touch screens. */
const QUIET = "transition-opacity pointer-fine:opacity-0 group-hover:opacity-100 group-focus-within:opacity-100";

interface TaskCardProps {
  task: Task;
  targets: Record<Direction, Position | null>;
  dragged: boolean;
  dropBefore: boolean;
  dropAfter: boolean;
  onEdit: () => void;
  onDelete: () => void;
  onStep: (direction: Direction) => void;
  onDragStart: () => void;
  onDragEnd: () => void;
}

function moveLabel(task: Task, direction: Direction, target: Position | null): string {
  if (direction === "up" || direction === "down" || !target) return `Move ${task.title} ${direction}`;
  return `Move ${task.title} to ${columnTitle(target.column)}`;
}

export function TaskCard({
  task,
  targets,
  dragged,
  dropBefore,
  dropAfter,
  onEdit,
  onDelete,
  onStep,
  onDragStart,
  onDragEnd,
}: TaskCardProps) {
  const label = LABELS[task.label];
  const priority = PRIORITIES[task.priority];

  function handleDragStart(event: DragEvent<HTMLLIElement>) {
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", task.title);
    onDragStart();
  }

  return (
    <li
      data-task-id={task.id}
      draggable
      onDragStart={handleDragStart}
      onDragEnd={onDragEnd}
      className="group relative cursor-grab active:cursor-grabbing"
    >
      {dropBefore && <DropLine className="-top-1.5" />}
      <Card className={cn("gap-2 rounded-lg p-3 shadow-xs transition-shadow group-hover:shadow-md", dragged && "opacity-40")}>
        <div className="flex items-center gap-2">
          <Badge variant="outline" className={cn("border-transparent", label.chip)}>
            {label.name}
          </Badge>
          <div className={cn("-my-1 -mr-1 ml-auto flex", QUIET)}>
            <IconButton label={`Edit ${task.title}`} hint="Edit" icon={Pencil} onClick={onEdit} />
            <IconButton
              label={`Delete ${task.title}`}
              hint="Delete"
              icon={Trash2}
              onClick={onDelete}
              className="hover:text-destructive"
            />
          </div>
        </div>

        <div className="space-y-1">
          <h3 className="text-sm leading-snug font-medium break-words">{task.title}</h3>
          {task.description && (
            <p className="line-clamp-3 text-sm leading-snug break-words text-muted-foreground">{task.description}</p>
          )}
        </div>

        <div className="flex items-center justify-between gap-2">
          <span className="flex items-center gap-1.5 text-xs text-muted-foreground">
            <Flag aria-hidden className={cn("size-3.5 fill-current", priority.color)} />
            {priority.name}
            <span className="sr-only">priority</span>
          </span>
          <div role="group" aria-label={`Move ${task.title}`} className={cn("-my-1 -mr-1 flex", QUIET)}>
            {MOVES.map(({ direction, icon }) => (
              <IconButton
                key={direction}
                label={moveLabel(task, direction, targets[direction])}
                hint={`Move ${direction}`}
                icon={icon}
                data-move={direction}
                aria-disabled={!targets[direction]}
                onClick={() => onStep(direction)}
              />
            ))}
          </div>
        </div>
      </Card>
      {dropAfter && <DropLine className="-bottom-1.5" />}
    </li>
  );
}

function DropLine({ className }: { className?: string }) {
  return (
    <div aria-hidden className={cn("pointer-events-none absolute inset-x-0 z-10 h-0.5 rounded-full bg-primary", className)} />
  );
}
