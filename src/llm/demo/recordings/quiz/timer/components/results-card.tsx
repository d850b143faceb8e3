import { useEffect, useRef } from "react";
import { Check, RotateCcw, X } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { OUT_OF_TIME, rightAnswer, scoreOf, type Asked } from "@/lib/quiz";
import { cn } from "@/lib/utils";

interface ResultsCardProps {
  asked: Asked[];
  given: string[];
  onRestart: () => void;
}

const CIRCUMFERENCE = 2 * Math.PI * 44;

function verdict(share: number): string {
  if (share === 1) return "Perfect. There is nothing left to ask you.";
  if (share >= 0.75) return "Very well done!";
  return share >= 0.5 ? "Not bad at all." : "Now you know more than before.";
}

export function ResultsCard({ asked, given, onRestart }: ResultsCardProps) {
  const title = useRef<HTMLHeadingElement>(null);
  const score = scoreOf(asked, given);
  const share = score / asked.length;

  useEffect(() => title.current?.focus(), []);

  return (
    <Card className="gap-8 p-5 sm:p-8">
      <div className="flex flex-col items-center gap-6 text-center sm:flex-row sm:text-left">
        <svg aria-hidden viewBox="0 0 100 100" className="size-32 shrink-0 -rotate-90">
          <circle cx="50" cy="50" r="44" fill="none" strokeWidth="9" className="stroke-muted" />
          <circle
            cx="50"
            cy="50"
            r="44"
            fill="none"
            strokeWidth="9"
            strokeLinecap={score > 0 ? "round" : "butt"}
            strokeDasharray={`${CIRCUMFERENCE * share} ${CIRCUMFERENCE}`}
            className="stroke-emerald-500"
          />
          <text
            x="50"
            y="50"
            transform="rotate(90 50 50)"
            textAnchor="middle"
            dominantBaseline="central"
            className="fill-foreground text-2xl font-semibold"
          >
            {Math.round(share * 100)}%
          </text>
        </svg>
        <div className="grid justify-items-center gap-2 sm:justify-items-start">
          <h2 ref={title} tabIndex={-1} className="text-3xl font-semibold tracking-tight outline-none">
            {score} of {asked.length} right
          </h2>
          <p className="text-muted-foreground">{verdict(share)}</p>
          <Button size="lg" className="mt-2" onClick={onRestart}>
            <RotateCcw aria-hidden />
            Play again
          </Button>
        </div>
      </div>

      <section aria-labelledby="review">
        <h3 id="review" className="font-semibold">
          Your answers
        </h3>
        <ol className="mt-2 divide-y">
          {asked.map((entry, index) => {
            const right = rightAnswer(entry);
            const correct = given[index] === right;
            const Icon = correct ? Check : X;
            return (
              <li key={entry.question.id} className="flex gap-3 py-3.5 text-sm">
                <span
                  className={cn(
                    "mt-0.5 grid size-5 shrink-0 place-items-center rounded-full text-white",
                    correct ? "bg-emerald-600" : "bg-rose-600",
                  )}
                >
                  <Icon role="img" aria-label={correct ? "Right" : "Wrong"} className="size-3.5" strokeWidth={3} />
                </span>
                <div>
                  <p className="font-medium">{entry.question.text}</p>
                  <p className="mt-0.5 text-muted-foreground">
                    {!correct && (
                      <>
                        {given[index] === OUT_OF_TIME ? "Out of time:" : <s>{given[index]}</s>}{" "}
                      </>
                    )}
                    {right}
                  </p>
                </div>
              </li>
            );
          })}
        </ol>
      </section>
    </Card>
  );
}
