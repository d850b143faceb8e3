import { Coffee } from "lucide-react";

import { RANGES, formatDate, type Range } from "@/lib/analytics";

interface DashboardHeaderProps {
  range: Range;
  firstDay: string;
  lastDay: string;
  onRange: (range: Range) => void;
}

export function DashboardHeader({ range, firstDay, lastDay, onRange }: DashboardHeaderProps) {
  return (
    <header className="flex flex-wrap items-center gap-x-3 gap-y-4">
      <span aria-hidden className="grid size-10 place-items-center rounded-xl bg-primary text-primary-foreground">
        <Coffee className="size-5" />
      </span>
      <div className="mr-auto">
        <h1 className="text-lg leading-tight font-semibold tracking-tight">Northside Coffee</h1>
        <p className="text-sm text-muted-foreground">
          {formatDate(firstDay)} to {formatDate(lastDay)}
        </p>
      </div>
      <div className="flex items-center gap-2 max-sm:w-full">
        <fieldset className="flex flex-1 rounded-lg bg-muted p-1">
          <legend className="sr-only">Date range</legend>
          {RANGES.map((days) => (
            <label
              key={days}
              className="relative grid h-8 flex-1 cursor-pointer place-items-center rounded-md px-3 text-sm font-medium whitespace-nowrap text-muted-foreground hover:text-foreground has-checked:bg-background has-checked:text-foreground has-checked:shadow-sm has-focus-visible:ring-[3px] has-focus-visible:ring-ring/50"
            >
              <input
                type="radio"
                name="range"
                checked={range === days}
                onChange={() => onRange(days)}
                className="sr-only"
              />
              {days} days
            </label>
          ))}
        </fieldset>
      </div>
    </header>
  );
}
