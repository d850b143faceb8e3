import { NotebookPen, Plus } from "lucide-react";

import { ThemeToggle } from "@/components/theme-toggle";
import { Button } from "@/components/ui/button";

interface NotesHeaderProps {
  onAdd: () => void;
}

export function NotesHeader({ onAdd }: NotesHeaderProps) {
  return (
    <header className="flex h-14 shrink-0 items-center gap-2 px-4">
      <NotebookPen aria-hidden className="size-5 text-amber-600 dark:text-amber-400" />
      <h1 className="mr-auto font-semibold tracking-tight">Notes</h1>
      <ThemeToggle />
      <Button size="icon" aria-label="New note" title="New note" onClick={onAdd}>
        <Plus aria-hidden />
      </Button>
    </header>
  );
}
