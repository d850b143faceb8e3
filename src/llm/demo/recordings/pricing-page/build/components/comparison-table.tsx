import { Check, Minus } from "lucide-react";

import { COMPARISON, PLANS, type Extent } from "@/lib/pricing";
import { cn } from "@/lib/utils";

export function ComparisonTable() {
  return (
    <section id="compare" className="mx-auto max-w-5xl scroll-mt-20 px-5">
      <h2 id="compare-title" className="text-2xl font-semibold tracking-tight">
        Compare the plans
      </h2>
      {/* On a phone the plans scroll sideways, past the features' names. */}
      <div
        role="region"
        aria-labelledby="compare-title"
        tabIndex={0}
        className="relative -mx-5 mt-6 overflow-x-auto px-5 outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50 sm:mx-0 sm:rounded-2xl sm:border sm:px-0"
      >
        <table className="w-full min-w-136 table-fixed border-collapse text-sm">
          <thead>
            <tr className="border-b">
              <th scope="col" className="sticky left-0 w-2/5 bg-background p-4 text-left font-medium text-muted-foreground">
                Feature
              </th>
              {PLANS.map((plan) => (
                <th key={plan.id} scope="col" className={cn("p-4 text-center font-semibold", plan.popular && "bg-primary/5")}>
                  {plan.name}
                </th>
              ))}
            </tr>
          </thead>
          {COMPARISON.map((group) => (
            <tbody key={group.name}>
              <tr className="border-b bg-muted">
                <th
                  scope="rowgroup"
                  colSpan={PLANS.length + 1}
                  className="px-4 py-2.5 text-left text-xs font-medium tracking-wide text-muted-foreground uppercase"
                >
                  {group.name}
                </th>
              </tr>
              {group.features.map((feature) => (
                <tr key={feature.name} className="border-b last:border-b-0">
                  <th scope="row" className="sticky left-0 bg-background p-4 text-left font-normal">
                    {feature.name}
                  </th>
                  {PLANS.map((plan) => (
                    <td key={plan.id} className={cn("p-4 text-center tabular-nums", plan.popular && "bg-primary/5")}>
                      <ExtentMark extent={feature.extent[plan.id]} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </div>
    </section>
  );
}

function ExtentMark({ extent }: { extent: Extent }) {
  if (typeof extent === "string") return extent;
  const Icon = extent ? Check : Minus;
  return (
    <>
      <Icon aria-hidden className={cn("mx-auto size-4", extent ? "text-emerald-600 dark:text-emerald-400" : "text-muted-foreground/50")} />
      <span className="sr-only">{extent ? "Included" : "Not included"}</span>
    </>
  );
}
