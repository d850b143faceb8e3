import { ArrowRight } from "lucide-react";

import { PlanPicture } from "@/components/plan-picture";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { product } from "@/lib/content";

export function Hero() {
  return (
    <section className="relative isolate overflow-hidden">
      <div
        aria-hidden
        className="absolute inset-x-0 top-0 -z-10 h-full bg-[radial-gradient(60rem_30rem_at_75%_0%,color-mix(in_oklab,var(--primary)_10%,transparent),transparent)]"
      />
      <div className="mx-auto grid max-w-6xl items-center gap-14 px-6 py-20 sm:py-28 lg:grid-cols-2">
        <div className="flex flex-col items-start gap-6">
          <Badge variant="outline">New: plans that repeat</Badge>
          <h1 className="text-4xl font-semibold tracking-tight text-balance sm:text-6xl">{product.claim}</h1>
          <p className="max-w-lg text-lg text-pretty text-muted-foreground">{product.description}</p>
          <div className="flex flex-wrap gap-3">
            <Button asChild size="lg">
              <a href="#pricing">
                Start free <ArrowRight aria-hidden />
              </a>
            </Button>
            <Button asChild size="lg" variant="outline">
              <a href="#features">See how it works</a>
            </Button>
          </div>
          <p className="text-sm text-muted-foreground">No credit card. Set up in ten minutes.</p>
        </div>
        <PlanPicture />
      </div>
    </section>
  );
}
