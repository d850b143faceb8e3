"use client";

import { useState } from "react";

import { BillingSwitch } from "@/components/billing-switch";
import { CurrencySelect } from "@/components/currency-select";
import { Estimate } from "@/components/estimate";
import { PlanCard } from "@/components/plan-card";
import { PLANS, type Billing, type Currency, type PlanId } from "@/lib/pricing";

export function Pricing() {
  const [billing, setBilling] = useState<Billing>("monthly");
  const [currency, setCurrency] = useState<Currency>("USD");
  const [planId, setPlanId] = useState<PlanId>("growth");
  const [people, setPeople] = useState(5);
  const chosen = PLANS.find((plan) => plan.id === planId) ?? PLANS[0];

  return (
    <section id="plans" aria-label="Plans" className="mx-auto grid max-w-5xl scroll-mt-20 gap-12 px-5">
      <div className="flex flex-wrap items-center justify-center gap-3">
        <BillingSwitch value={billing} onChange={setBilling} />
        <CurrencySelect value={currency} onChange={setCurrency} />
      </div>
      <ul className="grid gap-6 md:grid-cols-3 md:gap-5">
        {PLANS.map((plan) => (
          <PlanCard
            key={plan.id}
            plan={plan}
            currency={currency}
            billing={billing}
            chosen={plan.id === planId}
            onChoose={() => setPlanId(plan.id)}
          />
        ))}
      </ul>
      <Estimate plan={chosen} currency={currency} billing={billing} people={people} onPeople={setPeople} />
    </section>
  );
}
