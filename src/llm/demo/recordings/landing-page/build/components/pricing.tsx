"use client";

import { useState } from "react";
import { Check } from "lucide-react";

import { SignUpDialog } from "@/components/sign-up-dialog";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardAction, CardContent, CardDescription, CardFooter, CardHeader, CardTitle } from "@/components/ui/card";
import { Label } from "@/components/ui/label";
import { Switch } from "@/components/ui/switch";
import { plans, type Plan } from "@/lib/content";
import { cn } from "@/lib/utils";

export function Pricing() {
  const [yearly, setYearly] = useState(false);
  return (
    <section id="pricing" className="scroll-mt-16 border-t">
      <div className="mx-auto max-w-6xl px-6 py-20 sm:py-28">
        <div className="flex flex-col items-center gap-4 text-center">
          <h2 className="text-3xl font-semibold tracking-tight">Simple pricing</h2>
          <p className="text-muted-foreground">Pay for people who plan. Everyone may look.</p>
          <Label className="mt-2 font-normal">
            Billed yearly
            <Switch checked={yearly} onCheckedChange={setYearly} />
            <Badge variant="secondary">Save about 20%</Badge>
          </Label>
        </div>
        <ul className="mt-12 grid items-stretch gap-6 lg:grid-cols-3">
          {plans.map((plan) => (
            <li key={plan.name}>
              <PlanCard plan={plan} yearly={yearly} />
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function PlanCard({ plan, yearly }: { plan: Plan; yearly: boolean }) {
  const price = yearly ? plan.yearly : plan.monthly;
  return (
    <Card className={cn("h-full", plan.popular && "border-primary shadow-lg")}>
      <CardHeader>
        <CardTitle className="text-lg">
          <h3>{plan.name}</h3>
        </CardTitle>
        <CardDescription>{plan.text}</CardDescription>
        {plan.popular && (
          <CardAction>
            <Badge>Most popular</Badge>
          </CardAction>
        )}
      </CardHeader>
      <CardContent className="flex-1">
        <p className="flex items-baseline gap-2">
          <span className="text-4xl font-semibold tracking-tight tabular-nums">€{price}</span>
          <span className="text-sm text-muted-foreground">{price === 0 ? "for good" : "per person and month"}</span>
        </p>
        <ul className="mt-6 grid gap-3 text-sm">
          {plan.includes.map((item) => (
            <li key={item} className="flex gap-2.5">
              <Check aria-hidden className="mt-0.5 size-4 shrink-0 text-primary" />
              {item}
            </li>
          ))}
        </ul>
      </CardContent>
      <CardFooter>
        <SignUpDialog plan={plan}>
          <Button className="w-full" variant={plan.popular ? "default" : "outline"} aria-label={`${plan.action}: ${plan.name}`}>
            {plan.action}
          </Button>
        </SignUpDialog>
      </CardFooter>
    </Card>
  );
}
