"use client";

import { CityList } from "@/components/city-list";
import { CurrentCard } from "@/components/current-card";
import { Details } from "@/components/details";
import { HourlyStrip } from "@/components/hourly-strip";
import { WeatherHeader } from "@/components/weather-header";
import { WeekForecast } from "@/components/week-forecast";
import { CITIES } from "@/lib/cities";
import { prefer, usePreferences } from "@/lib/preferences";

export function WeatherApp() {
  const { cityId, unit } = usePreferences();
  const city = CITIES.find(({ id }) => id === cityId) ?? CITIES[0];

  return (
    <div className="min-h-dvh bg-muted/40 dark:bg-background">
      <div className="mx-auto grid max-w-6xl gap-5 p-4 sm:p-6">
        <WeatherHeader unit={unit} />
        <div className="grid grid-cols-1 gap-5 md:grid-cols-[15rem_minmax(0,1fr)]">
          <CityList selectedId={city.id} unit={unit} onSelect={(id) => prefer({ cityId: id })} />
          <main className="grid min-w-0 grid-cols-1 content-start gap-5">
            <CurrentCard city={city} unit={unit} />
            <HourlyStrip city={city} unit={unit} />
            <WeekForecast city={city} unit={unit} />
            <Details city={city} unit={unit} />
          </main>
        </div>
        <p className="text-center text-xs text-muted-foreground">Sample data: the weather of one day that never was.</p>
      </div>
    </div>
  );
}
