import { Plus, SquareKanban } from "lucide-react";

import { ThemeToggle } from "@/components/theme-toggle";
import { Button } from "@/components/ui/button";

interface BoardHeaderProps {
  total: number;
  done: number;
  onAdd: () => void;
}

export function BoardHeader({ total, done, onAdd }: BoardHeaderProps) {
  const percent = total === 0 ? 0 : Math.round((done / total) * 100);

  return (
    <header className="flex items-center gap-3 border-b bg-background px-4 py-3 sm:px-6">
      <div aria-hidden className="grid size-9 shrink-0 place-items-center rounded-lg bg-primary text-primary-foreground">
        <SquareKanban className="size-5" />
      </div>
      <div className="min-w-0">
        <h1 className="truncate text-base leading-tight font-semibold tracking-tight">Product launch</h1>
        <p className="truncate text-sm text-muted-foreground">
          {total} {total === 1 ? "card" : "cards"} · {done} done
        </p>
      </div>

      <div className="ml-auto flex shrink-0 items-center gap-2">
        <div className="mr-3 hidden items-center gap-3 md:flex">
          <div
            role="progressbar"
            aria-label="Cards done"
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={percent}
            className="h-1.5 w-32 overflow-hidden rounded-full bg-muted"
          >
            <div className="h-full rounded-full bg-primary transition-[width] duration-300" style={{ width: `${percent}%` }} />
          </div>
          <span className="w-10 text-sm text-muted-foreground tabular-nums">{percent}%</span>
        </div>
        <ThemeToggle />
        <Button onClick={onAdd}>
          <Plus aria-hidden />
          New card
        </Button>
      </div>
    </header>
  );
}
