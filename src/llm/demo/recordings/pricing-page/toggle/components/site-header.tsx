import { Anchor } from "lucide-react";

import { ThemeToggle } from "@/components/theme-toggle";
import { PRODUCT } from "@/lib/pricing";

const LINKS = [
  { href: "#plans", label: "Plans" },
  { href: "#compare", label: "Compare" },
  { href: "#questions", label: "Questions" },
];

export function SiteHeader() {
  return (
    <header className="sticky top-0 z-20 border-b bg-background/85 backdrop-blur">
      <div className="mx-auto flex h-14 max-w-5xl items-center gap-6 px-5">
        <a href="#top" className="flex items-center gap-2 font-semibold tracking-tight" aria-label={`${PRODUCT}, to the top`}>
          <Anchor aria-hidden className="size-5 text-primary" />
          {PRODUCT}
        </a>
        <div className="ml-auto flex items-center gap-4">
          <nav aria-label="Sections" className="hidden gap-6 text-sm text-muted-foreground sm:flex">
            {LINKS.map(({ href, label }) => (
              <a key={href} href={href} className="transition-colors hover:text-foreground">
                {label}
              </a>
            ))}
          </nav>
          <ThemeToggle />
        </div>
      </div>
    </header>
  );
}
