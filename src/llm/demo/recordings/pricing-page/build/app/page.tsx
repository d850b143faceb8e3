import { ComparisonTable } from "@/components/comparison-table";
import { Pricing } from "@/components/pricing";
import { Questions } from "@/components/questions";
import { SiteHeader } from "@/components/site-header";
import { PRODUCT } from "@/lib/pricing";

export default function Home() {
  return (
    <div id="top">
      <SiteHeader />
      <main className="space-y-20 pb-24">
        <div className="mb-12 px-5 pt-16 text-center">
          <h1 className="text-4xl font-semibold tracking-tight text-balance sm:text-5xl">Pay for people, not for messages</h1>
          <p className="mx-auto mt-4 max-w-xl text-lg text-pretty text-muted-foreground">
            {PRODUCT} is one inbox for your whole support team. Every plan starts with 14 free days.
          </p>
        </div>
        <Pricing />
        <ComparisonTable />
        <Questions />
      </main>
      <footer className="border-t py-8 text-center text-sm text-muted-foreground">
        Prices in US dollars, without tax. Cancel at any time.
      </footer>
    </div>
  );
}
