import { Area, AreaChart, CartesianGrid, Line, XAxis, YAxis } from "recharts";

import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import {
  ChartContainer,
  ChartLegend,
  ChartLegendContent,
  ChartTooltip,
  ChartTooltipContent,
  type ChartConfig,
} from "@/components/ui/chart";
import { formatCompactDollars, formatDate, formatDollars, type Report } from "@/lib/analytics";

const config = {
  revenue: { label: "This period", color: "var(--chart-2)" },
  before: { label: "Period before", color: "var(--muted-foreground)" },
} satisfies ChartConfig;

const TICK = { fill: "var(--muted-foreground)" };

export function RevenueChart({ days, before }: Pick<Report, "days" | "before">) {
  const data = days.map((day, index) => ({ date: day.date, revenue: day.revenue, before: before[index].revenue }));

  return (
    <Card>
      <CardHeader>
        <CardTitle>
          <h2>Revenue</h2>
        </CardTitle>
        <CardDescription>Per day, against the {days.length} days before</CardDescription>
      </CardHeader>
      <CardContent className="px-2 sm:px-6">
        <ChartContainer config={config} className="aspect-auto h-64 w-full">
          <AreaChart data={data} margin={{ left: 0, right: 8, top: 8 }}>
            <defs>
              <linearGradient id="revenue-fill" x1="0" y1="0" x2="0" y2="1">
                <stop offset="0%" stopColor="var(--color-revenue)" stopOpacity={0.35} />
                <stop offset="100%" stopColor="var(--color-revenue)" stopOpacity={0.02} />
              </linearGradient>
            </defs>
            <CartesianGrid vertical={false} />
            <XAxis
              dataKey="date"
              tickLine={false}
              axisLine={false}
              tickMargin={8}
              minTickGap={32}
              tickFormatter={formatDate}
              tick={TICK}
            />
            <YAxis width={48} tickLine={false} axisLine={false} tickCount={4} tickFormatter={formatCompactDollars} tick={TICK} />
            <ChartTooltip
              content={
                <ChartTooltipContent
                  labelFormatter={formatDate}
                  formatter={(value: number, name: keyof typeof config) => (
                    <span className="flex flex-1 items-center gap-2">
                      <span className="size-2.5 rounded-[2px]" style={{ backgroundColor: `var(--color-${name})` }} />
                      <span className="mr-2 text-muted-foreground">{config[name].label}</span>
                      <span className="ml-auto font-medium tabular-nums">{formatDollars(value)}</span>
                    </span>
                  )}
                />
              }
            />
            <ChartLegend content={<ChartLegendContent />} />
            <Line
              dataKey="before"
              type="monotone"
              stroke="var(--color-before)"
              strokeDasharray="4 4"
              strokeOpacity={0.6}
              dot={false}
            />
            <Area dataKey="revenue" type="monotone" stroke="var(--color-revenue)" strokeWidth={2} fill="url(#revenue-fill)" />
          </AreaChart>
        </ChartContainer>
      </CardContent>
    </Card>
  );
}
