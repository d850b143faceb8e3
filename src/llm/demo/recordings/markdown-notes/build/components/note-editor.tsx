import { useState } from "react";
import { ArrowLeft, BookOpen, Columns2, Pencil, Trash2 } from "lucide-react";

import { Markdown } from "@/components/markdown";
import { Button } from "@/components/ui/button";
import { countWords, type Note } from "@/lib/notes";
import { useWide } from "@/lib/use-wide";
import { cn } from "@/lib/utils";

const VIEWS = [
  { value: "write", label: "Write", icon: Pencil },
  { value: "split", label: "Both", icon: Columns2 },
  { value: "read", label: "Read", icon: BookOpen },
] as const;

type View = (typeof VIEWS)[number]["value"];

interface NoteEditorProps {
  note: Note;
  onWrite: (text: string) => void;
  onDelete: () => void;
  onBack: () => void;
}

export function NoteEditor({ note, onWrite, onDelete, onBack }: NoteEditorProps) {
  const wide = useWide();
  const [chosen, setChosen] = useState<View>("split");
  // Side by side needs room.
  const view = !wide && chosen === "split" ? "write" : chosen;
  const words = countWords(note.text);

  return (
    <article aria-label="Note" className="flex min-w-0 flex-1 flex-col">
      <div className="flex h-14 shrink-0 items-center gap-2 border-b px-3">
        <Button variant="ghost" size="icon-sm" aria-label="All notes" className="md:hidden" onClick={onBack}>
          <ArrowLeft aria-hidden />
        </Button>
        <div role="group" aria-label="View" className="flex rounded-lg bg-muted p-0.5">
          {VIEWS.map(({ value, label, icon: Icon }) => (
            <button
              key={value}
              type="button"
              aria-pressed={view === value}
              onClick={() => setChosen(value)}
              className={cn(
                "flex h-7 items-center gap-1.5 rounded-md px-2.5 text-xs font-medium text-muted-foreground outline-none hover:text-foreground focus-visible:ring-[3px] focus-visible:ring-ring/50",
                "aria-pressed:bg-background aria-pressed:text-foreground aria-pressed:shadow-sm",
                value === "split" && "max-md:hidden",
              )}
            >
              <Icon aria-hidden className="size-3.5" />
              {label}
            </button>
          ))}
        </div>
        <span className="ml-auto text-xs text-muted-foreground tabular-nums">
          {words} {words === 1 ? "word" : "words"}
        </span>
        <Button
          variant="ghost"
          size="icon-sm"
          aria-label="Delete note"
          title="Delete note"
          className="text-muted-foreground hover:text-destructive"
          onClick={onDelete}
        >
          <Trash2 aria-hidden />
        </Button>
      </div>

      <div className={cn("grid min-h-0 flex-1 divide-x", view === "split" && "grid-cols-2")}>
        {view !== "read" && (
          <textarea
            // A field for each note: what is undone in one must not come from another.
            key={note.id}
            autoFocus={note.text === ""}
            aria-label="Markdown"
            value={note.text}
            onChange={(event) => onWrite(event.target.value)}
            placeholder="# A title, then whatever is on your mind"
            spellCheck
            className="min-h-0 resize-none bg-transparent p-5 font-mono text-base leading-relaxed outline-none placeholder:text-muted-foreground/70 focus-visible:bg-muted/20 md:text-[0.8125rem]"
          />
        )}
        {view !== "write" && (
          <section aria-label="Preview" tabIndex={0} className="min-h-0 overflow-y-auto p-5 outline-none focus-visible:bg-muted/20">
            {note.text.trim() === "" ? (
              <p className="text-sm text-muted-foreground">What you write is shown here.</p>
            ) : (
              <div className={cn(view === "read" && "mx-auto max-w-2xl")}>
                <Markdown text={note.text} />
              </div>
            )}
          </section>
        )}
      </div>
    </article>
  );
}
