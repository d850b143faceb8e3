import { useEffect, useEffectEvent, useState } from "react";

/** Whole seconds that are left; it stands still while it doesn't run, and calls `onEnd` at zero. */
export function useCountdown(seconds: number, running: boolean, onEnd: () => void): number {
  const [left, setLeft] = useState(seconds);
  const end = useEffectEvent(onEnd);

  useEffect(() => {
    if (!running) return;
    // A background tab's timers are slow, so the clock decides.
    const deadline = performance.now() + seconds * 1000;
    const timer = setInterval(() => {
      const rest = Math.max(0, Math.ceil((deadline - performance.now()) / 1000));
      setLeft(rest);
      if (rest === 0) {
        clearInterval(timer);
        end();
      }
    }, 200);
    return () => clearInterval(timer);
  }, [seconds, running]);

  return left;
}
