import { Bar, BarChart, CartesianGrid, XAxis, YAxis } from "recharts";

import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import {
  ChartContainer,
  ChartLegend,
  ChartLegendContent,
  ChartTooltip,
  ChartTooltipContent,
  type ChartConfig,
} from "@/components/ui/chart";
import type { Report } from "@/lib/analytics";

const config = {
  newOrders: { label: "New customers", color: "var(--chart-1)" },
  returningOrders: { label: "Returning customers", color: "var(--chart-4)" },
} satisfies ChartConfig;

const TICK = { fill: "var(--muted-foreground)" };

export function WeekdayChart({ weekdays }: Pick<Report, "weekdays">) {
  return (
    <Card>
      <CardHeader>
        <CardTitle>
          <h2>Orders by weekday</h2>
        </CardTitle>
        <CardDescription>From new and returning customers</CardDescription>
      </CardHeader>
      <CardContent className="px-2 sm:px-6">
        <ChartContainer config={config} className="aspect-auto h-60 w-full">
          <BarChart data={weekdays} margin={{ left: 0, right: 0, top: 8 }}>
            <CartesianGrid vertical={false} />
            <XAxis dataKey="weekday" tickLine={false} axisLine={false} tickMargin={8} tick={TICK} />
            <YAxis width={44} tickLine={false} axisLine={false} tickCount={4} tick={TICK} />
            <ChartTooltip content={<ChartTooltipContent />} />
            <ChartLegend content={<ChartLegendContent />} />
            <Bar dataKey="newOrders" stackId="orders" fill="var(--color-newOrders)" radius={[0, 0, 4, 4]} />
            <Bar dataKey="returningOrders" stackId="orders" fill="var(--color-returningOrders)" radius={[4, 4, 0, 0]} />
          </BarChart>
        </ChartContainer>
      </CardContent>
    </Card>
  );
}
