import { useState } from "react";
import { Search, Star } from "lucide-react";

import { Input } from "@/components/ui/input";
import { findCities } from "@/lib/cities";
import { useFavorites } from "@/lib/favorites";
import { CONDITIONS, degrees, iconOf, isNight, type Unit } from "@/lib/weather";
import { cn } from "@/lib/utils";

interface CityListProps {
  selectedId: string;
  unit: Unit;
  onSelect: (id: string) => void;
}

export function CityList({ selectedId, unit, onSelect }: CityListProps) {
  const [query, setQuery] = useState("");
  const favorites = useFavorites();
  // Favorites first; sorting keeps the order of the others.
  const found = findCities(query).toSorted((a, b) => Number(favorites.includes(b.id)) - Number(favorites.includes(a.id)));

  return (
    <section aria-label="Cities" className="grid min-w-0 content-start gap-3">
      <form
        role="search"
        className="relative"
        onSubmit={(event) => {
          event.preventDefault();
          if (query.trim() && found[0]) onSelect(found[0].id);
        }}
      >
        <Search aria-hidden className="pointer-events-none absolute top-3 left-3 size-4 text-muted-foreground" />
        <Input
          type="search"
          aria-label="Search for a city"
          placeholder="Search for a city"
          autoComplete="off"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          className="h-10 bg-background pl-9"
        />
      </form>
      <p role="status" className={cn(found.length > 0 ? "sr-only" : "px-1 py-4 text-center text-sm text-muted-foreground")}>
        {found.length > 0 ? `${found.length} ${found.length === 1 ? "city" : "cities"}` : `No sample weather for “${query}”.`}
      </p>
      {/* On a phone the cities are a row that scrolls. */}
      <ul className="-mx-4 -my-1 flex gap-2 overflow-x-auto px-4 py-1 md:m-0 md:grid md:gap-1 md:overflow-visible md:p-0">
        {found.map((city) => {
          const Icon = iconOf(city.condition, isNight(city));
          const selected = city.id === selectedId;
          return (
            <li key={city.id} className="shrink-0">
              <button
                type="button"
                aria-current={selected || undefined}
                onClick={() => onSelect(city.id)}
                className={cn(
                  "flex w-full items-center gap-3 rounded-xl border px-3 py-2.5 text-left transition-colors outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50",
                  selected ? "bg-card shadow-sm" : "border-transparent max-md:border-border hover:bg-accent",
                )}
              >
                <Icon aria-hidden className={cn("size-5 shrink-0", CONDITIONS[city.condition].tint)} />
                <span className="min-w-0 flex-1">
                  <span className="flex items-center gap-1.5 text-sm font-medium">
                    <span className="truncate">{city.name}</span>
                    {favorites.includes(city.id) && (
                      <>
                        <Star aria-hidden className="size-3 shrink-0 fill-amber-400 text-amber-400" />
                        <span className="sr-only">, a favorite</span>
                      </>
                    )}
                  </span>
                  <span className="block truncate text-xs text-muted-foreground max-md:hidden">{city.country}</span>
                </span>
                <span className="text-sm tabular-nums">{degrees(city.temperature, unit)}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
