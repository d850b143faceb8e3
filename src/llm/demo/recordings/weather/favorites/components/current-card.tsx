import { Star } from "lucide-react";

import { Button } from "@/components/ui/button";
import { toggleFavorite, useFavorites } from "@/lib/favorites";
import { CONDITIONS, dayName, degrees, iconOf, isNight, skyOf, type City, type Unit } from "@/lib/weather";
import { cn } from "@/lib/utils";

interface CurrentCardProps {
  city: City;
  unit: Unit;
}

export function CurrentCard({ city, unit }: CurrentCardProps) {
  const Icon = iconOf(city.condition, isNight(city));
  const [today] = city.days;
  const favorite = useFavorites().includes(city.id);

  return (
    <section
      aria-label="Now"
      className={cn("relative isolate overflow-hidden rounded-3xl bg-linear-to-br p-6 text-white shadow-lg sm:p-8", skyOf(city))}
    >
      <Icon aria-hidden strokeWidth={1} className="pointer-events-none absolute -right-6 -bottom-10 -z-10 size-56 opacity-20 sm:-right-2" />
      <div className="flex items-start justify-between gap-4">
        <div>
          <h2 className="text-2xl font-semibold tracking-tight">{city.name}</h2>
          <p className="text-sm text-white/80">
            {city.country} · {dayName(city, 0)}, {String(city.hour).padStart(2, "0")}:00
          </p>
        </div>
        <Button
          variant="ghost"
          size="icon"
          aria-label={`${city.name} is a favorite`}
          aria-pressed={favorite}
          title={favorite ? "Remove from favorites" : "Add to favorites"}
          className="bg-white/15 text-white hover:bg-white/25 hover:text-white dark:hover:bg-white/25"
          onClick={() => toggleFavorite(city.id)}
        >
          <Star aria-hidden className={cn(favorite && "fill-amber-300 text-amber-300")} />
        </Button>
      </div>
      <div className="mt-8 flex flex-wrap items-end gap-x-5 gap-y-1">
        <p className="text-8xl leading-[0.85] font-light tracking-tighter tabular-nums">
          <span className="sr-only">Temperature: </span>
          {degrees(city.temperature, unit)}
        </p>
        <div>
          <p className="text-lg font-medium">{CONDITIONS[city.condition].label}</p>
          <p className="text-sm text-white/80 tabular-nums">
            Feels like {degrees(city.feelsLike, unit)} · {degrees(today.low, unit)} to {degrees(today.high, unit)}
          </p>
        </div>
      </div>
    </section>
  );
}
