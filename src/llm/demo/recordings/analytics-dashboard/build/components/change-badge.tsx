import { TrendingDown, TrendingUp } from "lucide-react";

import { formatChange } from "@/lib/analytics";
import { cn } from "@/lib/utils";

export function ChangeBadge({ percent }: { percent: number }) {
  const Icon = percent < 0 ? TrendingDown : TrendingUp;
  return (
    <span
      className={cn(
        "inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-xs font-medium tabular-nums",
        percent < 0
          ? "bg-rose-500/10 text-rose-700 dark:text-rose-400"
          : "bg-emerald-500/10 text-emerald-700 dark:text-emerald-400",
      )}
    >
      <Icon aria-hidden className="size-3" />
      {formatChange(percent)}
    </span>
  );
}
