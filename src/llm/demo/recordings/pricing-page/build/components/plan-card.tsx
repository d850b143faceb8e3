import { Check } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { formatPrice, type Billing, type Plan } from "@/lib/pricing";
import { cn } from "@/lib/utils";

interface PlanCardProps {
  plan: Plan;
  billing: Billing;
  chosen: boolean;
  onChoose: () => void;
}

export function PlanCard({ plan, billing, chosen, onChoose }: PlanCardProps) {
  const price = plan.price[billing];
  const quiet = plan.popular ? "text-primary-foreground/75" : "text-muted-foreground";

  return (
    <li
      className={cn(
        "flex flex-col rounded-2xl border p-6 transition-shadow",
        plan.popular ? "border-primary bg-primary text-primary-foreground shadow-xl md:-my-4 md:py-10" : "bg-card text-card-foreground",
        chosen && "ring-2 ring-primary ring-offset-4 ring-offset-background",
      )}
    >
      <div className="flex h-6 items-center justify-between gap-2">
        <h3 className="text-lg font-semibold">{plan.name}</h3>
        {plan.popular && <Badge className="bg-primary-foreground/15 text-primary-foreground">Most teams</Badge>}
      </div>
      <p className={cn("mt-1.5 text-sm", quiet)}>{plan.text}</p>

      <p className="mt-6 flex items-baseline gap-2">
        <span className="text-5xl font-semibold tracking-tight tabular-nums">{formatPrice(price)}</span>
        {price < plan.price.monthly && (
          <s className={cn("text-lg tabular-nums", quiet)}>
            <span className="sr-only">instead of </span>
            {formatPrice(plan.price.monthly)}
          </s>
        )}
      </p>
      <p className={cn("mt-1 text-sm", quiet)}>per person and month, billed {billing}</p>

      <ul className="mt-6 mb-8 grid gap-3 text-sm">
        {plan.includes.map((item) => (
          <li key={item} className="flex gap-2.5">
            <Check aria-hidden className="mt-0.5 size-4 shrink-0 opacity-70" />
            {item}
          </li>
        ))}
      </ul>

      <Button
        size="lg"
        variant={plan.popular ? "secondary" : chosen ? "default" : "outline"}
        className="mt-auto w-full"
        onClick={onChoose}
      >
        {chosen && <Check aria-hidden />}
        {chosen ? `${plan.name} chosen` : `Choose ${plan.name}`}
      </Button>
    </li>
  );
}
