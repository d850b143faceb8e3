"use client";

import { useRef, type FormEvent } from "react";
import { Flag } from "lucide-react";

import { SelectField } from "@/components/select-field";
import { Button } from "@/components/ui/button";
import { Dialog, DialogContent, DialogDescription, DialogFooter, DialogHeader, DialogTitle } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";
import { Label } from "@/components/ui/label";
import { Textarea } from "@/components/ui/textarea";
import {
  COLUMNS,
  LABELS,
  PRIORITIES,
  type ColumnId,
  type Label as TaskLabel,
  type Priority,
  type Task,
  type TaskDraft,
} from "@/lib/board";
import { cn } from "@/lib/utils";

/** What the dialog edits: an existing card, or a new one for a column. */
export interface TaskEditor {
  column: ColumnId;
  task: Task | null;
}

interface TaskDialogProps {
  editor: TaskEditor;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onSave: (draft: TaskDraft, column: ColumnId) => void;
}

const columnOptions = COLUMNS.map(({ id, title }) => ({ value: id, name: title }));
const labelOptions = Object.entries(LABELS).map(([value, { name }]) => ({ value, name }));
const priorities = Object.entries(PRIORITIES);

export function TaskDialog({ editor, open, onOpenChange, onSave }: TaskDialogProps) {
  const { task, column } = editor;
  const opener = useRef<HTMLElement | null>(null);

  function handleSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const title = String(data.get("title") ?? "").trim();
    if (!title) return;
    onSave(
      {
        title,
        description: String(data.get("description") ?? "").trim(),
        label: data.get("label") as TaskLabel,
        priority: data.get("priority") as Priority,
      },
      data.get("column") as ColumnId,
    );
  }

  return (
    <Dialog open={open} onOpenChange={onOpenChange}>
      <DialogContent
        className="sm:max-w-md"
        onOpenAutoFocus={() => {
          opener.current = document.activeElement as HTMLElement | null;
        }}
        onCloseAutoFocus={(event) => {
          event.preventDefault();
          const target = opener.current?.isConnected
            ? opener.current
            : document.querySelector<HTMLElement>(`[data-task-id="${task?.id}"] button`);
          target?.focus();
        }}
      >
        <DialogHeader>
          <DialogTitle>{task ? "Edit card" : "New card"}</DialogTitle>
          <DialogDescription>{task ? "Change the card's details or its column." : "Add a task to the board."}</DialogDescription>
        </DialogHeader>

        <form key={task?.id ?? column} onSubmit={handleSubmit} className="grid gap-5">
          <div className="grid gap-2">
            <Label htmlFor="task-title">Title</Label>
            <Input
              id="task-title"
              name="title"
              defaultValue={task?.title}
              placeholder="What needs to be done?"
              autoComplete="off"
              maxLength={120}
              pattern=".*\S.*"
              required
            />
          </div>

          <div className="grid gap-2">
            <Label htmlFor="task-description">Description</Label>
            <Textarea
              id="task-description"
              name="description"
              defaultValue={task?.description}
              placeholder="Optional details"
              rows={3}
            />
          </div>

          <div className="grid gap-5 sm:grid-cols-2 sm:gap-4">
            <SelectField id="task-column" name="column" label="Column" options={columnOptions} defaultValue={column} />
            <SelectField
              id="task-label"
              name="label"
              label="Label"
              options={labelOptions}
              defaultValue={task?.label ?? "design"}
            />
          </div>

          <fieldset className="grid gap-2">
            <legend className="mb-2 text-sm leading-none font-medium">Priority</legend>
            <div className="grid grid-cols-3 gap-2">
              {priorities.map(([value, { name, color }]) => (
                <label
                  key={value}
                  className="relative flex h-9 cursor-pointer items-center justify-center gap-2 rounded-md border text-sm shadow-xs transition-colors hover:bg-accent has-checked:border-primary has-checked:bg-primary/5 has-focus-visible:ring-[3px] has-focus-visible:ring-ring/50"
                >
                  <input
                    type="radio"
                    name="priority"
                    value={value}
                    defaultChecked={value === (task?.priority ?? "medium")}
                    className="sr-only"
                  />
                  <Flag aria-hidden className={cn("size-3.5 fill-current", color)} />
                  {name}
                </label>
              ))}
            </div>
          </fieldset>

          <DialogFooter>
            <Button type="button" variant="outline" onClick={() => onOpenChange(false)}>
              Cancel
            </Button>
            <Button type="submit">{task ? "Save changes" : "Add card"}</Button>
          </DialogFooter>
        </form>
      </DialogContent>
    </Dialog>
  );
}
