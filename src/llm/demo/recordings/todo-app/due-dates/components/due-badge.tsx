import { CalendarDays } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { today } from "@/lib/todos";

export function DueBadge({ due, done }: { due: string; done: boolean }) {
  const now = today();
  const text = due === now ? "Today" : new Date(`${due}T00:00`).toLocaleDateString(undefined, { month: "short", day: "numeric" });
  const variant = done || due > now ? "outline" : due < now ? "destructive" : "secondary";
  return (
    <Badge variant={variant}>
      <CalendarDays aria-hidden />
      <span className="sr-only">{due < now && !done ? "Overdue since" : "Due"}</span>
      {text}
    </Badge>
  );
}
