/** One component in the gallery. */
export function Section({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <section aria-label={name} className="flex min-w-0 flex-col gap-4 rounded-xl border p-5">
      <h2 className="text-sm font-medium text-muted-foreground">{name}</h2>
      <div className="flex min-w-0 flex-wrap items-center gap-3">{children}</div>
    </section>
  );
}
