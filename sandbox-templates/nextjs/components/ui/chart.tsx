"use client";

import * as React from "react";
import * as RechartsPrimitive from "recharts";

import { cn } from "@/lib/utils";

const THEMES = { light: "", dark: ".dark" } as const;

export type ChartConfig = Record<
  string,
  { label?: React.ReactNode; icon?: React.ComponentType } & (
    | { color?: string; theme?: never }
    | { color?: never; theme: Record<keyof typeof THEMES, string> }
  )
>;

const ChartContext = React.createContext<{ config: ChartConfig } | null>(null);

function useChart() {
  const context = React.useContext(ChartContext);
  if (!context) throw new Error("useChart must be used within a <ChartContainer />");
  return context;
}

function ChartContainer({
  id,
  className,
  children,
  config,
  initialDimension = { width: 320, height: 200 },
  ...props
}: React.ComponentProps<"div"> & {
  config: ChartConfig;
  children: React.ComponentProps<typeof RechartsPrimitive.ResponsiveContainer>["children"];
  /** In pixels, until the chart has been measured. */
  initialDimension?: { width: number; height: number };
}) {
  const uniqueId = React.useId();
  const chartId = `chart-${id ?? uniqueId.replace(/[^\w-]/g, "")}`;
  const value = React.useMemo(() => ({ config }), [config]);

  return (
    <ChartContext.Provider value={value}>
      <div
        data-slot="chart"
        data-chart={chartId}
        className={cn(
          "flex aspect-video justify-center text-xs [&_.recharts-cartesian-axis-tick-value]:fill-muted-foreground [&_.recharts-polar-angle-axis-tick-value]:fill-muted-foreground [&_.recharts-cartesian-grid_line[stroke='#ccc']]:stroke-border/50 [&_.recharts-curve.recharts-tooltip-cursor]:stroke-border [&_.recharts-dot[stroke='#fff']]:stroke-transparent [&_.recharts-layer]:outline-hidden [&_.recharts-polar-grid_[stroke='#ccc']]:stroke-border [&_.recharts-radial-bar-background-sector]:fill-muted [&_.recharts-rectangle.recharts-tooltip-cursor]:fill-muted [&_.recharts-reference-line_[stroke='#ccc']]:stroke-border [&_.recharts-sector]:outline-hidden [&_.recharts-sector[stroke='#fff']]:stroke-transparent [&_.recharts-surface]:outline-hidden",
          className,
        )}
        {...props}
      >
        <ChartStyle id={chartId} config={config} />
        <RechartsPrimitive.ResponsiveContainer initialDimension={initialDimension}>
          {children}
        </RechartsPrimitive.ResponsiveContainer>
      </div>
    </ChartContext.Provider>
  );
}

/** Gives every series its colour as `--color-<key>`, light and dark. */
function ChartStyle({ id, config }: { id: string; config: ChartConfig }) {
  const coloured = Object.entries(config).filter(([, item]) => item.theme ?? item.color);
  if (coloured.length === 0) return null;

  const rules = Object.entries(THEMES).map(([theme, prefix]) => {
    const colours = coloured.map(
      ([key, item]) => `  --color-${key}: ${item.theme?.[theme as keyof typeof THEMES] ?? item.color};`,
    );
    return `${prefix} [data-chart=${id}] {\n${colours.join("\n")}\n}`;
  });
  return <style dangerouslySetInnerHTML={{ __html: rules.join("\n") }} />;
}

const ChartTooltip = RechartsPrimitive.Tooltip;

type TooltipEntry = RechartsPrimitive.TooltipPayloadEntry;

type ChartTooltipContentProps = Omit<React.ComponentProps<"div">, "content"> & {
  active?: boolean;
  payload?: ReadonlyArray<TooltipEntry>;
  label?: React.ReactNode;
  indicator?: "line" | "dot" | "dashed";
  hideLabel?: boolean;
  hideIndicator?: boolean;
  nameKey?: string;
  labelKey?: string;
  labelClassName?: string;
  color?: string;
  // What recharts hands over differs by chart; callers narrow it.
  labelFormatter?: (label: any, payload: ReadonlyArray<TooltipEntry>) => React.ReactNode;
  formatter?: (
    value: any,
    name: any,
    item: TooltipEntry,
    index: number,
    payload: ReadonlyArray<TooltipEntry>,
  ) => React.ReactNode;
};

const indicators = {
  dot: "size-2.5",
  line: "w-1",
  dashed: "w-0 border-[1.5px] border-dashed bg-transparent",
};

function ChartTooltipContent({
  active,
  payload,
  className,
  indicator = "dot",
  hideLabel = false,
  hideIndicator = false,
  label,
  labelFormatter,
  labelClassName,
  formatter,
  color,
  nameKey,
  labelKey,
}: ChartTooltipContentProps) {
  const { config } = useChart();
  if (!active || !payload?.length) return null;

  const first = configOf(config, payload[0], labelKey ?? String(payload[0].dataKey ?? payload[0].name ?? "value"));
  const named = !labelKey && typeof label === "string" ? (config[label]?.label ?? label) : first?.label;
  const heading = hideLabel ? null : labelFormatter ? labelFormatter(named ?? label, payload) : named;
  const title = heading ? <div className={cn("font-medium", labelClassName)}>{heading}</div> : null;
  const nested = payload.length === 1 && indicator !== "dot";

  return (
    <div
      className={cn(
        "grid min-w-[8rem] items-start gap-1.5 rounded-lg border border-border/50 bg-background px-2.5 py-1.5 text-xs shadow-xl",
        className,
      )}
    >
      {!nested && title}
      <div className="grid gap-1.5">
        {payload
          .filter((item) => item.type !== "none")
          .map((item, index) => {
            const itemConfig = configOf(config, item, nameKey ?? String(item.name ?? item.dataKey ?? "value"));
            const shade = color ?? item.payload?.fill ?? item.color;
            return (
              <div
                key={`${String(item.dataKey)}-${index}`}
                className={cn(
                  "flex w-full flex-wrap items-stretch gap-2 [&>svg]:size-2.5 [&>svg]:text-muted-foreground",
                  indicator === "dot" && "items-center",
                )}
              >
                {formatter && item.value !== undefined && item.name !== undefined ? (
                  formatter(item.value, item.name, item, index, payload)
                ) : (
                  <>
                    {itemConfig?.icon ? (
                      <itemConfig.icon />
                    ) : (
                      !hideIndicator && (
                        <div
                          className={cn(
                            "shrink-0 rounded-[2px] border-(--color-border) bg-(--color-bg)",
                            indicators[indicator],
                            nested && indicator === "dashed" && "my-0.5",
                          )}
                          style={{ "--color-bg": shade, "--color-border": shade } as React.CSSProperties}
                        />
                      )
                    )}
                    <div
                      className={cn("flex flex-1 justify-between gap-2 leading-none", nested ? "items-end" : "items-center")}
                    >
                      <div className="grid gap-1.5">
                        {nested && title}
                        <span className="text-muted-foreground">{itemConfig?.label ?? item.name}</span>
                      </div>
                      {item.value != null && (
                        <span className="font-mono font-medium text-foreground tabular-nums">
                          {typeof item.value === "number" ? item.value.toLocaleString() : String(item.value)}
                        </span>
                      )}
                    </div>
                  </>
                )}
              </div>
            );
          })}
      </div>
    </div>
  );
}

/** What it is given goes on to its `content`, a `className` too. */
const ChartLegend: React.ComponentType<React.ComponentProps<typeof RechartsPrimitive.Legend> & { className?: string }> =
  RechartsPrimitive.Legend;

function ChartLegendContent({
  className,
  hideIcon = false,
  payload,
  verticalAlign = "bottom",
  nameKey,
}: React.ComponentProps<"div"> & {
  hideIcon?: boolean;
  nameKey?: string;
  payload?: ReadonlyArray<RechartsPrimitive.LegendPayload>;
  verticalAlign?: "top" | "middle" | "bottom";
}) {
  const { config } = useChart();
  if (!payload?.length) return null;

  return (
    <div className={cn("flex items-center justify-center gap-4", verticalAlign === "top" ? "pb-3" : "pt-3", className)}>
      {payload
        .filter((item) => item.type !== "none")
        .map((item, index) => {
          const itemConfig = configOf(config, item, nameKey ?? String(item.dataKey ?? "value"));
          return (
            <div
              key={`${item.value}-${index}`}
              className="flex items-center gap-1.5 [&>svg]:size-3 [&>svg]:text-muted-foreground"
            >
              {itemConfig?.icon && !hideIcon ? (
                <itemConfig.icon />
              ) : (
                <div className="size-2 shrink-0 rounded-[2px]" style={{ backgroundColor: item.color }} />
              )}
              {itemConfig?.label ?? item.value}
            </div>
          );
        })}
    </div>
  );
}

/** The configuration of a series: by the key, or by what the entry's data says under that key. */
function configOf(config: ChartConfig, entry: object, key: string) {
  const from = (source: unknown) => {
    const value = source && typeof source === "object" ? (source as Record<string, unknown>)[key] : undefined;
    return typeof value === "string" ? value : undefined;
  };
  const named = from(entry) ?? from((entry as { payload?: unknown }).payload);
  return (named !== undefined ? config[named] : undefined) ?? config[key];
}

export { ChartContainer, ChartTooltip, ChartTooltipContent, ChartLegend, ChartLegendContent, ChartStyle };
