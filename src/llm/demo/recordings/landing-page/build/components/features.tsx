import { features } from "@/lib/content";

export function Features() {
  return (
    <section id="features" className="scroll-mt-16 border-t bg-muted/40">
      <div className="mx-auto max-w-6xl px-6 py-20 sm:py-28">
        <h2 className="max-w-xl text-3xl font-semibold tracking-tight text-balance">
          Everything a week needs, and nothing it doesn&apos;t
        </h2>
        <ul className="mt-12 grid gap-x-10 gap-y-12 sm:grid-cols-2 lg:grid-cols-3">
          {features.map((feature) => (
            <li key={feature.title}>
              <span aria-hidden className="grid size-10 place-items-center rounded-lg border bg-card text-primary shadow-xs">
                <feature.icon className="size-5" />
              </span>
              <h3 className="mt-4 font-medium">{feature.title}</h3>
              <p className="mt-1.5 text-sm leading-relaxed text-muted-foreground">{feature.text}</p>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}
