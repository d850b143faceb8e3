"use client";

import { Trash2 } from "lucide-react";

import { DueBadge } from "@/components/due-badge";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { removeTodo, toggleTodo, type Todo } from "@/lib/todos";
import { cn } from "@/lib/utils";

export function TodoItem({ todo }: { todo: Todo }) {
  const id = `todo-${todo.id}`;
  return (
    <li className="group flex items-center gap-3 rounded-lg px-3 py-2 transition-colors hover:bg-accent/60">
      <Checkbox id={id} checked={todo.done} onCheckedChange={() => toggleTodo(todo.id)} />
      <label
        htmlFor={id}
        className={cn(
          "min-w-0 flex-1 cursor-pointer text-sm leading-6 wrap-anywhere transition-colors",
          todo.done && "text-muted-foreground line-through",
        )}
      >
        {todo.text}
      </label>
      {todo.due && <DueBadge due={todo.due} done={todo.done} />}
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={`Delete ${todo.text}`}
        className="text-muted-foreground opacity-0 transition-opacity group-hover:opacity-100 focus-visible:opacity-100 [@media(hover:none)]:opacity-100"
        onClick={() => removeTodo(todo.id)}
      >
        <Trash2 />
      </Button>
    </li>
  );
}
