import { CONDITIONS, degrees, hoursOf, iconOf, isNight, type City, type Unit } from "@/lib/weather";
import { cn } from "@/lib/utils";

interface HourlyStripProps {
  city: City;
  unit: Unit;
}

export function HourlyStrip({ city, unit }: HourlyStripProps) {
  return (
    <section aria-labelledby="hours" className="min-w-0 rounded-2xl border bg-card p-4">
      <h3 id="hours" className="px-1 text-sm font-medium text-muted-foreground">
        Next 24 hours
      </h3>
      <ol
        tabIndex={0}
        aria-labelledby="hours"
        className="relative -mx-4 mt-3 flex overflow-x-auto px-3 pb-1 outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50"
      >
        {hoursOf(city).map(({ hour, condition, temperature }, index) => {
          const Icon = iconOf(condition, isNight(city, hour));
          return (
            <li key={hour} className="grid w-14 shrink-0 justify-items-center gap-2 py-1 text-sm tabular-nums">
              <span className={cn("text-xs", index === 0 ? "font-semibold" : "text-muted-foreground")}>
                {index === 0 ? "Now" : `${String(hour).padStart(2, "0")}:00`}
              </span>
              <Icon aria-hidden className={cn("size-5", CONDITIONS[condition].tint)} />
              <span className="sr-only">{CONDITIONS[condition].label}</span>
              <span className="font-medium">{degrees(temperature, unit)}</span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
