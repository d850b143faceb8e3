import { Pie, PieChart } from "recharts";

import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { ChartContainer, ChartTooltip, ChartTooltipContent, type ChartConfig } from "@/components/ui/chart";
import { formatNumber, type Report } from "@/lib/analytics";

const config: ChartConfig = {
  search: { label: "Search", color: "var(--chart-1)" },
  direct: { label: "Direct", color: "var(--chart-2)" },
  social: { label: "Social", color: "var(--chart-3)" },
  email: { label: "Email", color: "var(--chart-4)" },
  referral: { label: "Referral", color: "var(--chart-5)" },
};

export function ChannelChart({ channels }: Pick<Report, "channels">) {
  const total = channels.reduce((sum, { visitors }) => sum + visitors, 0);
  const data = channels.map((entry) => ({ ...entry, fill: `var(--color-${entry.channel})` }));

  return (
    <Card>
      <CardHeader>
        <CardTitle>
          <h2>Visitors by channel</h2>
        </CardTitle>
        <CardDescription>Where they come from</CardDescription>
      </CardHeader>
      <CardContent className="flex flex-1 flex-wrap items-center justify-center gap-x-6 gap-y-4">
        <div className="relative">
          <ChartContainer config={config} className="aspect-square h-44">
            <PieChart>
              <ChartTooltip content={<ChartTooltipContent nameKey="channel" hideLabel />} />
              <Pie
                data={data}
                dataKey="visitors"
                nameKey="channel"
                startAngle={90}
                endAngle={-270}
                innerRadius={56}
                outerRadius={82}
                paddingAngle={2}
                strokeWidth={0}
              />
            </PieChart>
          </ChartContainer>
          <p className="pointer-events-none absolute inset-0 grid place-content-center text-center">
            <span className="text-xl font-semibold tracking-tight tabular-nums">{formatNumber(total)}</span>
            <span className="text-xs text-muted-foreground">visitors</span>
          </p>
        </div>
        <ul className="grid min-w-40 flex-1 gap-2.5 text-sm">
          {channels.map(({ channel, visitors }) => (
            <li key={channel} className="flex items-center gap-2">
              <span aria-hidden className="size-2.5 rounded-[2px]" style={{ backgroundColor: config[channel].color }} />
              <span className="mr-auto text-muted-foreground">{config[channel].label}</span>
              <span className="tabular-nums">{formatNumber(visitors)}</span>
              <span className="w-10 text-right text-muted-foreground tabular-nums">{Math.round((visitors / total) * 100)}%</span>
            </li>
          ))}
        </ul>
      </CardContent>
    </Card>
  );
}
