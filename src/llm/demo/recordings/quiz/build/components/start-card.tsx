import { ArrowRight } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { QUESTIONS } from "@/lib/questions";

export function StartCard({ onStart }: { onStart: () => void }) {
  return (
    <Card className="items-start gap-5 p-6 sm:p-10">
      <h2 className="text-3xl font-semibold tracking-tight text-balance sm:text-4xl">How much of the world do you know?</h2>
      <p className="text-lg text-pretty text-muted-foreground">
        {QUESTIONS.length} questions about space, nature and machines. After each you learn why.
      </p>
      <Button size="lg" onClick={onStart}>
        Start the quiz <ArrowRight aria-hidden />
      </Button>
      <p className="hidden text-sm text-muted-foreground pointer-fine:block">
        On a keyboard: <Key>1</Key> to <Key>4</Key> answer, <Key>Enter</Key> goes on.
      </p>
    </Card>
  );
}

function Key({ children }: { children: string }) {
  return <kbd className="rounded border bg-muted px-1.5 py-0.5 font-mono text-xs">{children}</kbd>;
}
