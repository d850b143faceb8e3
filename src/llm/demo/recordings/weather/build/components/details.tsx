import { Droplets, Gauge, Sun, Sunrise, Sunset, Wind, type LucideIcon } from "lucide-react";

import { speed, type City, type Unit } from "@/lib/weather";

interface DetailsProps {
  city: City;
  unit: Unit;
}

function uvLabel(uv: number): string {
  if (uv >= 8) return "very high";
  if (uv >= 6) return "high";
  return uv >= 3 ? "moderate" : "low";
}

export function Details({ city, unit }: DetailsProps) {
  const entries: { label: string; value: string; icon: LucideIcon }[] = [
    { label: "Wind", value: speed(city.wind, unit), icon: Wind },
    { label: "Humidity", value: `${city.humidity}%`, icon: Droplets },
    { label: "UV index", value: `${city.uv}, ${uvLabel(city.uv)}`, icon: Sun },
    { label: "Pressure", value: `${city.pressure} hPa`, icon: Gauge },
    { label: "Sunrise", value: city.sunrise, icon: Sunrise },
    { label: "Sunset", value: city.sunset, icon: Sunset },
  ];
  return (
    <section aria-label="Details">
      <dl className="grid grid-cols-2 gap-3 lg:grid-cols-3">
        {entries.map(({ label, value, icon: Icon }) => (
          <div key={label} className="rounded-2xl border bg-card p-4">
            <dt className="flex items-center gap-2 text-sm text-muted-foreground">
              <Icon aria-hidden className="size-4" />
              {label}
            </dt>
            <dd className="mt-1.5 text-lg font-medium tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
