import { useState } from "react";
import { Minus, Plus } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Label } from "@/components/ui/label";
import { MAX_PEOPLE, formatPrice, periodTotal, yearlySaving, type Billing, type Plan } from "@/lib/pricing";

interface EstimateProps {
  plan: Plan;
  billing: Billing;
  people: number;
  onPeople: (people: number) => void;
}

/** What the chosen plan costs for the whole team. */
export function Estimate({ plan, billing, people, onPeople }: EstimateProps) {
  const saving = formatPrice(yearlySaving(plan, people));

  // What is being typed, which may be nothing for a moment, or too much.
  const [typed, setTyped] = useState<string | null>(null);

  function change(value: number) {
    if (Number.isFinite(value)) onPeople(Math.min(MAX_PEOPLE, Math.max(1, Math.round(value))));
  }

  return (
    <div className="flex flex-col gap-5 rounded-2xl border bg-muted/40 p-6 sm:flex-row sm:items-center sm:justify-between">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <Label htmlFor="people">People who answer</Label>
        <div className="flex items-center gap-1.5">
          <Button variant="outline" size="icon" aria-label="One person less" disabled={people <= 1} onClick={() => change(people - 1)}>
            <Minus aria-hidden />
          </Button>
          <Input
            id="people"
            type="number"
            inputMode="numeric"
            min={1}
            max={MAX_PEOPLE}
            value={typed ?? people}
            onChange={(event) => {
              setTyped(event.target.value);
              change(event.target.valueAsNumber);
            }}
            onBlur={() => setTyped(null)}
            className="w-16 [appearance:textfield] text-center tabular-nums [&::-webkit-inner-spin-button]:appearance-none"
          />
          <Button
            variant="outline"
            size="icon"
            aria-label="One person more"
            disabled={people >= MAX_PEOPLE}
            onClick={() => change(people + 1)}
          >
            <Plus aria-hidden />
          </Button>
        </div>
      </div>
      <p role="status" className="sm:text-right">
        <span className="text-muted-foreground">{plan.name} costs </span>
        <strong className="text-xl font-semibold tabular-nums">{formatPrice(periodTotal(plan, billing, people))}</strong>
        <span className="text-muted-foreground"> a {billing === "yearly" ? "year" : "month"}</span>
        <span className="block text-sm text-emerald-700 dark:text-emerald-300">
          {billing === "yearly" ? `You save ${saving} a year` : `Yearly billing would save ${saving} a year`}
        </span>
      </p>
    </div>
  );
}
