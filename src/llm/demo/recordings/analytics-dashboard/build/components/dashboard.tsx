"use client";

import { useMemo, useState } from "react";

import { ChannelChart } from "@/components/channel-chart";
import { DashboardHeader } from "@/components/dashboard-header";
import { KpiCards } from "@/components/kpi-cards";
import { ProductTable } from "@/components/product-table";
import { RevenueChart } from "@/components/revenue-chart";
import { WeekdayChart } from "@/components/weekday-chart";
import { reportOf, type Range } from "@/lib/analytics";

export function Dashboard() {
  const [range, setRange] = useState<Range>(30);
  const { days, before, totals, totalsBefore, weekdays, channels, products } = useMemo(() => reportOf(range), [range]);

  return (
    <div className="min-h-dvh bg-muted/40 dark:bg-background">
      <main className="mx-auto grid max-w-7xl grid-cols-1 gap-4 p-4 sm:p-6">
        <DashboardHeader range={range} firstDay={days[0].date} lastDay={days[days.length - 1].date} onRange={setRange} />
        <KpiCards totals={totals} totalsBefore={totalsBefore} />
        <RevenueChart days={days} before={before} />
        <div className="grid grid-cols-1 gap-4 md:grid-cols-2">
          <WeekdayChart weekdays={weekdays} />
          <ChannelChart channels={channels} />
        </div>
        <ProductTable products={products} />
      </main>
    </div>
  );
}
