import { ChevronDown } from "lucide-react";

import { questions } from "@/lib/content";

export function Questions() {
  return (
    <section id="questions" className="scroll-mt-16 border-t bg-muted/40">
      <div className="mx-auto grid max-w-6xl gap-10 px-6 py-20 sm:py-28 lg:grid-cols-[1fr_2fr]">
        <h2 className="text-3xl font-semibold tracking-tight">Questions, answered</h2>
        <div className="divide-y border-y">
          {questions.map(({ question, answer }) => (
            <details key={question} name="questions" className="group py-5">
              <summary className="flex cursor-pointer list-none items-center justify-between gap-4 rounded-sm font-medium outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50 [&::-webkit-details-marker]:hidden">
                {question}
                <ChevronDown
                  aria-hidden
                  className="size-4 shrink-0 text-muted-foreground transition-transform group-open:rotate-180"
                />
              </summary>
              <p className="mt-3 max-w-prose text-sm leading-relaxed text-muted-foreground">{answer}</p>
            </details>
          ))}
        </div>
      </div>
    </section>
  );
}
