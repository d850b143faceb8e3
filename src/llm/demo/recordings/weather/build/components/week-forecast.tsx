import { Droplet } from "lucide-react";

import { CONDITIONS, dayName, degrees, type City, type Unit } from "@/lib/weather";
import { cn } from "@/lib/utils";

interface WeekForecastProps {
  city: City;
  unit: Unit;
}

/** Each day's range as a bar within the week's. */
export function WeekForecast({ city, unit }: WeekForecastProps) {
  const coldest = Math.min(...city.days.map((day) => day.low));
  const warmest = Math.max(...city.days.map((day) => day.high));
  const percent = (celsius: number) => `${((celsius - coldest) / (warmest - coldest)) * 100}%`;

  return (
    <section aria-labelledby="week" className="rounded-2xl border bg-card p-4">
      <h3 id="week" className="px-1 text-sm font-medium text-muted-foreground">
        7 days
      </h3>
      <ol className="mt-1 divide-y">
        {city.days.map((day, index) => {
          const { icon: Icon, label, tint } = CONDITIONS[day.condition];
          return (
            <li key={dayName(city, index)} className="flex items-center gap-3 px-1 py-2.5 text-sm tabular-nums">
              <span className="w-12 font-medium">{dayName(city, index)}</span>
              <Icon aria-hidden className={cn("size-5 shrink-0", tint)} />
              <span className="sr-only">{label}</span>
              <span className={cn("flex w-12 items-center gap-1 text-xs", day.rain > 0 ? "text-sky-700 dark:text-sky-400" : "invisible")}>
                <Droplet aria-hidden className="size-3" />
                <span className="sr-only">Chance of rain </span>
                {day.rain}%
              </span>
              <span className="w-9 text-right text-muted-foreground">
                <span className="sr-only">Low </span>
                {degrees(day.low, unit)}
              </span>
              <span aria-hidden className="relative h-1.5 min-w-12 flex-1 overflow-hidden rounded-full bg-muted">
                <span
                  className="absolute inset-y-0 rounded-full bg-linear-to-r from-sky-400 to-amber-400"
                  style={{ left: percent(day.low), width: `calc(${percent(day.high)} - ${percent(day.low)})` }}
                />
              </span>
              <span className="w-9 text-right font-medium">
                <span className="sr-only">High </span>
                {degrees(day.high, unit)}
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
