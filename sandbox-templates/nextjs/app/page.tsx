export default function Home() {
  return (
    <main data-codeflow-placeholder className="grid min-h-dvh place-items-center p-8">
      <div className="flex max-w-sm flex-col items-center gap-6 text-center">
        <div aria-hidden className="relative h-28 w-44">
          <div className="absolute inset-x-0 bottom-0 h-20 rounded-xl border bg-muted/40" />
          <div className="absolute inset-x-4 bottom-4 h-20 rounded-xl border bg-muted/70" />
          <div className="absolute inset-x-8 bottom-8 grid h-20 content-start gap-2 rounded-xl border bg-card p-4 shadow-sm">
            <div className="h-2 w-1/2 animate-pulse rounded-full bg-muted-foreground/30" />
            <div className="h-2 w-full animate-pulse rounded-full bg-muted-foreground/15 [animation-delay:200ms]" />
            <div className="h-2 w-3/4 animate-pulse rounded-full bg-muted-foreground/15 [animation-delay:400ms]" />
          </div>
        </div>
        <div className="space-y-1.5">
          <h1 className="text-lg font-semibold tracking-tight">Your app appears here</h1>
          <p className="text-sm text-balance text-muted-foreground">
            It is being written right now, and shows up as soon as it runs.
          </p>
        </div>
      </div>
    </main>
  );
}
