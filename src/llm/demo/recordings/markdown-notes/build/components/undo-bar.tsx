import { useEffect, useEffectEvent } from "react";
import { Undo2, X } from "lucide-react";

import { Button } from "@/components/ui/button";

const VISIBLE_MS = 8000;

interface UndoBarProps {
  title: string;
  onUndo: () => void;
  onDismiss: () => void;
}

export function UndoBar({ title, onUndo, onDismiss }: UndoBarProps) {
  const dismiss = useEffectEvent(onDismiss);

  useEffect(() => {
    const timer = setTimeout(() => dismiss(), VISIBLE_MS);
    return () => clearTimeout(timer);
  }, []);

  return (
    <div className="pointer-events-none fixed inset-x-0 bottom-4 z-40 flex justify-center px-4">
      <div className="pointer-events-auto flex max-w-full items-center gap-1 rounded-lg border bg-popover py-1.5 pr-1.5 pl-4 text-sm text-popover-foreground shadow-lg">
        <p role="status" className="mr-2 min-w-0 truncate">
          Deleted “{title}”
        </p>
        <Button variant="secondary" size="sm" onClick={onUndo}>
          <Undo2 aria-hidden />
          Undo
        </Button>
        <Button variant="ghost" size="icon-sm" aria-label="Dismiss" onClick={onDismiss}>
          <X aria-hidden />
        </Button>
      </div>
    </div>
  );
}
