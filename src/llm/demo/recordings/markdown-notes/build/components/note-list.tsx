import { Search } from "lucide-react";

import { Input } from "@/components/ui/input";
import { titleAndExcerpt, type Note } from "@/lib/notes";
import { cn } from "@/lib/utils";

interface NoteListProps {
  notes: readonly Note[];
  selectedId: string | undefined;
  query: string;
  onQuery: (query: string) => void;
  onSelect: (id: string) => void;
}

const dates = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });

export function NoteList({ notes, selectedId, query, onQuery, onSelect }: NoteListProps) {
  return (
    <>
      <div className="relative px-3 pb-3">
        <Search aria-hidden className="pointer-events-none absolute top-2.5 left-6 size-4 text-muted-foreground" />
        <Input
          type="search"
          aria-label="Search notes"
          placeholder="Search"
          value={query}
          onChange={(event) => onQuery(event.target.value)}
          className="bg-background pl-9"
        />
      </div>
      <nav aria-label="Notes" className="min-h-0 flex-1 overflow-y-auto px-3 pb-4">
        {notes.length === 0 ? (
          <p className="px-3 py-8 text-center text-sm text-muted-foreground">
            {query ? `No note has “${query}”.` : "No notes yet. The plus adds one."}
          </p>
        ) : (
          <ul className="space-y-2 md:space-y-1">
            {notes.map((note) => {
              const { title, excerpt } = titleAndExcerpt(note.text);
              const selected = note.id === selectedId;
              return (
                <li key={note.id}>
                  <button
                    type="button"
                    aria-current={selected || undefined}
                    onClick={() => onSelect(note.id)}
                    className={cn(
                      "block w-full rounded-lg px-3 py-2.5 text-left transition-colors outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50",
                      "max-md:border max-md:bg-background",
                      selected ? "md:bg-background md:shadow-sm md:dark:bg-accent" : "hover:bg-accent",
                    )}
                  >
                    <span className="flex items-baseline justify-between gap-2">
                      <span className="truncate text-sm font-medium">{title}</span>
                      <span className="shrink-0 text-xs text-muted-foreground">
                        {note.editedAt === null ? "Example" : dates.format(note.editedAt)}
                      </span>
                    </span>
                    <span className="mt-0.5 block truncate text-sm text-muted-foreground">{excerpt}</span>
                  </button>
                </li>
              );
            })}
          </ul>
        )}
      </nav>
    </>
  );
}
