// What benches share: how figures are made and printed, and waiting for a run.
import { get, until } from "../server.mjs";

export const quantile = (values, part) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];
export const median = (values) => quantile(values, 0.5);
export const ms = (value) => `${value < 100 ? value.toFixed(1) : Math.round(value)} ms`;

/** Prints a figure with its goal. */
export const line = (what, figure, goal = "") => console.log(`${what.padEnd(58)} ${figure.padStart(12)}   ${goal}`);

/** Prints a line of a table, and returns the median. */
export function report(what, times, goal = "") {
  const p50 = median(times);
  console.log(`${what.padEnd(52)} p50 ${ms(p50).padStart(9)}   p95 ${ms(quantile(times, 0.95)).padStart(9)}   n=${times.length}  ${goal}`);
  return p50;
}

/** Waits until so many runs of the project have ended well, and returns the last one. */
export const ended = (server, project, count) =>
  until(
    `run ${count} ends`,
    async () => {
      const { runs, messages } = await get(server, "/api/projects/workspace", { project });
      const last = runs.at(-1);
      if (["failed", "cancelled"].includes(last?.state)) throw new Error(`run ${runs.length} ${last.state}: ${messages.at(-1)?.content}`);
      return runs.length === count && last.state === "succeeded" && last;
    },
    600_000,
  );
