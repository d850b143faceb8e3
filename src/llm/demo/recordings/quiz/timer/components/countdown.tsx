import { Timer } from "lucide-react";

import { useCountdown } from "@/lib/use-countdown";
import { cn } from "@/lib/utils";

export const SECONDS = 15;

interface CountdownProps {
  running: boolean;
  onEnd: () => void;
}

export function Countdown({ running, onEnd }: CountdownProps) {
  const left = useCountdown(SECONDS, running, onEnd);
  const short = running && left <= 5;
  return (
    <span
      role="timer"
      aria-label="Seconds left"
      className={cn("flex items-center gap-1.5", short && "font-medium text-rose-700 dark:text-rose-400")}
    >
      <Timer aria-hidden className={cn("size-4", short && "motion-safe:animate-pulse")} />
      {left} s
    </span>
  );
}
