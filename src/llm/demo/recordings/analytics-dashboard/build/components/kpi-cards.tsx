import { CreditCard, MousePointerClick, ShoppingBag, Users, type LucideIcon } from "lucide-react";

import { ChangeBadge } from "@/components/change-badge";
import { Card } from "@/components/ui/card";
import { formatDollars, formatNumber, percentChange, type Report, type Totals } from "@/lib/analytics";

const KPIS: readonly { key: keyof Totals; label: string; icon: LucideIcon; format: (value: number) => string }[] = [
  { key: "revenue", label: "Revenue", icon: CreditCard, format: formatDollars },
  { key: "orders", label: "Orders", icon: ShoppingBag, format: formatNumber },
  { key: "visitors", label: "Visitors", icon: Users, format: formatNumber },
  { key: "conversion", label: "Conversion", icon: MousePointerClick, format: (value) => `${value.toFixed(2)}%` },
];

export function KpiCards({ totals, totalsBefore }: Pick<Report, "totals" | "totalsBefore">) {
  return (
    <ul aria-label="Key figures" className="grid grid-cols-2 gap-4 md:grid-cols-4">
      {KPIS.map(({ key, label, icon: Icon, format }) => (
        <li key={key}>
          <Card className="h-full gap-2 p-4 sm:p-5">
            <p className="flex items-center justify-between text-sm text-muted-foreground">
              {label}
              <Icon aria-hidden className="size-4" />
            </p>
            <p className="text-2xl font-semibold tracking-tight tabular-nums">{format(totals[key])}</p>
            <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-muted-foreground">
              <ChangeBadge percent={percentChange(totals[key], totalsBefore[key])} />
              <span className="max-lg:sr-only">to the period before</span>
            </p>
          </Card>
        </li>
      ))}
    </ul>
  );
}
