import type { KeyboardEvent, RefObject } from "react";
import { Bold, Code, Heading, Italic, Link, List, ListTodo, Quote, type LucideIcon } from "lucide-react";

import { Button } from "@/components/ui/button";
import { applyEdit, link, prefixLines, surround, type Edit } from "@/lib/format";

interface Format {
  label: string;
  icon: LucideIcon;
  /** With Ctrl, or ⌘ on a Mac. */
  key?: string;
  edit: (value: string, start: number, end: number) => Edit;
}

const FORMATS: readonly Format[] = [
  { label: "Heading", icon: Heading, edit: (...selection) => prefixLines(...selection, "## ") },
  { label: "Bold", icon: Bold, key: "b", edit: (...selection) => surround(...selection, "**") },
  { label: "Italic", icon: Italic, key: "i", edit: (...selection) => surround(...selection, "*") },
  { label: "Code", icon: Code, key: "e", edit: (...selection) => surround(...selection, "`") },
  { label: "Link", icon: Link, key: "k", edit: link },
  { label: "List", icon: List, edit: (...selection) => prefixLines(...selection, "- ") },
  { label: "Tasks", icon: ListTodo, edit: (...selection) => prefixLines(...selection, "- [ ] ") },
  { label: "Quote", icon: Quote, edit: (...selection) => prefixLines(...selection, "> ") },
];

function format(field: HTMLTextAreaElement, { edit }: Format) {
  applyEdit(field, edit(field.value, field.selectionStart, field.selectionEnd));
}

/** For the field's `onKeyDown`. */
export function formatOnKey(event: KeyboardEvent<HTMLTextAreaElement>) {
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  const found = FORMATS.find(({ key }) => key === event.key.toLowerCase());
  if (!found) return;
  event.preventDefault();
  format(event.currentTarget, found);
}

export function FormatToolbar({ field }: { field: RefObject<HTMLTextAreaElement | null> }) {
  return (
    <div role="group" aria-label="Formatting" className="flex h-11 shrink-0 items-center gap-0.5 overflow-x-auto border-b px-3">
      {FORMATS.map((entry) => (
        <Button
          key={entry.label}
          variant="ghost"
          size="icon-sm"
          aria-label={entry.label}
          title={entry.key ? `${entry.label} (Ctrl+${entry.key.toUpperCase()})` : entry.label}
          className="text-muted-foreground"
          // The field keeps its selection.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => field.current && format(field.current, entry)}
        >
          <entry.icon aria-hidden />
        </Button>
      ))}
    </div>
  );
}
