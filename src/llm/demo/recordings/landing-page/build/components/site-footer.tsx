import { Logo } from "@/components/logo";
import { links, product } from "@/lib/content";

export function SiteFooter() {
  return (
    <footer className="border-t">
      <div className="mx-auto flex max-w-6xl flex-col gap-6 px-6 py-10 text-sm sm:flex-row sm:items-center sm:justify-between">
        <Logo />
        <nav aria-label="Footer" className="flex flex-wrap gap-6 text-muted-foreground">
          {links.map((link) => (
            <a key={link.href} href={link.href} className="transition-colors hover:text-foreground">
              {link.label}
            </a>
          ))}
        </nav>
        <p className="text-muted-foreground">Made with care by the people of {product.name}</p>
      </div>
    </footer>
  );
}
