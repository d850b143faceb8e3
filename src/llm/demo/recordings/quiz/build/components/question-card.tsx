import { useEffect, useEffectEvent, useRef } from "react";
import { ArrowRight, Check, X } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { rightAnswer, type Asked } from "@/lib/quiz";
import { cn } from "@/lib/utils";

interface QuestionCardProps {
  asked: Asked;
  number: number;
  total: number;
  score: number;
  /** The answer that was given; undefined while there is none. */
  given: string | undefined;
  onAnswer: (answer: string) => void;
  onNext: () => void;
}

export function QuestionCard({ asked, number, total, score, given, onAnswer, onNext }: QuestionCardProps) {
  const title = useRef<HTMLHeadingElement>(null);
  const next = useRef<HTMLButtonElement>(null);
  const right = rightAnswer(asked);
  const revealed = given !== undefined;

  // Where a reader goes on: at the new question, then at the button that leads to the next.
  useEffect(() => {
    (revealed ? next : title).current?.focus({ preventScroll: !revealed });
  }, [revealed]);

  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const answer = asked.answers[Number(event.key) - 1];
    if (answer && !revealed) onAnswer(answer);
  });

  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event);
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);

  return (
    <Card className="gap-6 p-5 sm:p-8">
      <div>
        <div className="flex justify-between text-sm text-muted-foreground tabular-nums">
          <span>
            Question {number} of {total}
          </span>
          <span>
            {score} {score === 1 ? "point" : "points"}
          </span>
        </div>
        <div
          role="progressbar"
          aria-label="Questions answered"
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={revealed ? number : number - 1}
          className="mt-3 h-1.5 overflow-hidden rounded-full bg-muted"
        >
          <div
            className="h-full rounded-full bg-primary transition-[width] duration-300"
            style={{ width: `${((revealed ? number : number - 1) / total) * 100}%` }}
          />
        </div>
      </div>

      <h2 ref={title} tabIndex={-1} className="text-xl font-semibold tracking-tight text-balance outline-none sm:text-2xl">
        {asked.question.text}
      </h2>

      <ol className="grid gap-3 sm:grid-cols-2">
        {asked.answers.map((answer, index) => (
          <li key={answer}>
            <button
              type="button"
              // Not disabled: it can still be read and reached.
              aria-disabled={revealed}
              onClick={() => onAnswer(answer)}
              className={cn(
                "flex h-full min-h-14 w-full items-center gap-3 rounded-xl border px-4 py-3 text-left transition-colors outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50",
                !revealed && "hover:border-primary/50 hover:bg-accent",
                revealed && answer !== right && answer !== given && "opacity-50",
                revealed && answer === right && "border-emerald-600 bg-emerald-500/10 dark:border-emerald-400",
                revealed && answer === given && answer !== right && "border-rose-600 bg-rose-500/10 dark:border-rose-400",
              )}
            >
              <span
                aria-hidden
                className="grid size-7 shrink-0 place-items-center rounded-md border bg-background text-xs font-medium text-muted-foreground"
              >
                {index + 1}
              </span>
              <span className="flex-1 font-medium">{answer}</span>
              {revealed && answer === right && (
                <Check role="img" aria-label="Right" className="size-5 text-emerald-700 dark:text-emerald-400" />
              )}
              {revealed && answer === given && answer !== right && (
                <X role="img" aria-label="Wrong" className="size-5 text-rose-700 dark:text-rose-400" />
              )}
            </button>
          </li>
        ))}
      </ol>

      <div className="flex min-h-20 flex-col items-start justify-between gap-4 sm:flex-row sm:items-center">
        <div role="status" className="text-sm leading-relaxed text-pretty">
          {revealed && (
            <>
              <p className="font-semibold">{given === right ? "Right!" : `It is: ${right}.`}</p>
              <p className="text-muted-foreground">{asked.question.note}</p>
            </>
          )}
        </div>
        {revealed && (
          <Button ref={next} size="lg" className="max-sm:w-full" onClick={onNext}>
            {number === total ? "See your result" : "Next question"} <ArrowRight aria-hidden />
          </Button>
        )}
      </div>
    </Card>
  );
}
