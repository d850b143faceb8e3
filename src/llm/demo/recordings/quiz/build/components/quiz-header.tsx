import { Lightbulb, Trophy } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { QUESTIONS } from "@/lib/questions";

export function QuizHeader({ best }: { best: number | null }) {
  return (
    <header className="flex h-10 items-center gap-2.5">
      <span aria-hidden className="grid size-9 place-items-center rounded-lg bg-primary text-primary-foreground">
        <Lightbulb className="size-5" />
      </span>
      <h1 className="mr-auto font-semibold tracking-tight">Curious quiz</h1>
      {best !== null && (
        <Badge variant="outline" className="h-7 gap-1.5 bg-background px-3 tabular-nums">
          <Trophy aria-hidden className="text-amber-500" />
          Best {best} of {QUESTIONS.length}
        </Badge>
      )}
    </header>
  );
}
