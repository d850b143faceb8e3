import { CloudSun } from "lucide-react";

import { ThemeToggle } from "@/components/theme-toggle";
import { prefer } from "@/lib/preferences";
import type { Unit } from "@/lib/weather";

const UNITS: readonly { value: Unit; label: string; name: string }[] = [
  { value: "C", label: "°C", name: "Celsius" },
  { value: "F", label: "°F", name: "Fahrenheit" },
];

export function WeatherHeader({ unit }: { unit: Unit }) {
  return (
    <header className="flex items-center gap-2.5">
      <CloudSun aria-hidden className="size-6 text-sky-600 dark:text-sky-400" />
      <h1 className="mr-auto text-lg font-semibold tracking-tight">Weather</h1>
      <fieldset className="flex rounded-lg bg-muted p-0.5">
        <legend className="sr-only">Unit</legend>
        {UNITS.map(({ value, label, name }) => (
          <label
            key={value}
            className="relative grid h-8 cursor-pointer place-items-center rounded-md px-3 text-sm font-medium text-muted-foreground hover:text-foreground has-checked:bg-background has-checked:text-foreground has-checked:shadow-sm has-focus-visible:ring-[3px] has-focus-visible:ring-ring/50"
          >
            <input
              type="radio"
              name="unit"
              aria-label={name}
              checked={unit === value}
              onChange={() => prefer({ unit: value })}
              className="sr-only"
            />
            {label}
          </label>
        ))}
      </fieldset>
      <ThemeToggle />
    </header>
  );
}
