import { Plus } from "lucide-react";

import { QUESTIONS } from "@/lib/pricing";

export function Questions() {
  return (
    <section id="questions" className="mx-auto max-w-3xl scroll-mt-20 px-5">
      <h2 className="text-center text-2xl font-semibold tracking-tight">Before you choose</h2>
      <div className="mt-6 grid gap-3">
        {QUESTIONS.map(({ question, answer }) => (
          <details key={question} className="group rounded-xl border bg-card open:shadow-sm">
            <summary className="flex cursor-pointer list-none items-center justify-between gap-4 rounded-xl p-4 font-medium outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50 [&::-webkit-details-marker]:hidden">
              {question}
              <Plus aria-hidden className="size-4 shrink-0 text-muted-foreground transition-transform group-open:rotate-45" />
            </summary>
            <p className="px-4 pb-4 text-sm leading-relaxed text-muted-foreground">{answer}</p>
          </details>
        ))}
      </div>
    </section>
  );
}
