import { Logo } from "@/components/logo";
import { Button } from "@/components/ui/button";
import { links, product } from "@/lib/content";

export function SiteHeader() {
  return (
    <header className="sticky top-0 z-10 border-b bg-background/80 backdrop-blur">
      <div className="mx-auto flex h-16 max-w-6xl items-center justify-between gap-6 px-6">
        <a href="#top" aria-label={`${product.name}, to the top`}>
          <Logo />
        </a>
        <nav aria-label="Sections" className="hidden gap-8 text-sm text-muted-foreground md:flex">
          {links.map((link) => (
            <a key={link.href} href={link.href} className="transition-colors hover:text-foreground">
              {link.label}
            </a>
          ))}
        </nav>
        <div className="flex items-center gap-2">
          <Button asChild size="sm">
            <a href="#pricing">Get started</a>
          </Button>
        </div>
      </div>
    </header>
  );
}
