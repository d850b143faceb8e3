// Measures the agent beside a model that answers at once: what the check of an app takes, by its parts, and what a long run sends to the
// model. Speed fails nothing, but a run that fails does.
import assert from "node:assert/strict";
import { call, done, say, startModel, write } from "../model.mjs";
import { post, readFile, startServer } from "../server.mjs";
import { ended, ms, report } from "./shared.mjs";

const ROUNDS = Number(process.env.BENCH_CHECKS ?? 10);
/** Turns of the long run. */
const TURNS = Number(process.env.BENCH_TURNS ?? 30);
/** Pages of each app whose check is measured, with the goal for the whole check, in milliseconds. */
const APPS = [
  [1, 2000],
  [10, 6000],
];

/** A page as apps have it: with state, a handler and classes of Tailwind's. */
const page = (title, number) => `"use client";
import { useState } from "react";
import { Button } from "@/components/ui/button";

export default function Page() {
  const [count, setCount] = useState(${number});
  return (
    <main className="mx-auto flex max-w-xl flex-col gap-4 p-${4 + (number % 8)}">
      <h1 className="text-2xl font-bold">${title}</h1>
      <Button onClick={() => setCount(count + 1)}>Pressed {count} times</Button>
    </main>
  );
}
`;

/** The pages of an app, as they are after so many changes. */
function pages(count, round) {
  const others = Array.from({ length: count - 1 }, (_, number) => [`app/part-${number}/page.tsx`, page(`Part ${number}`, number)]);
  return Object.fromEntries([["app/page.tsx", page("Home", round)], ...(round === 0 ? others : [])]);
}

/** What a long run does: it writes a file and reads it again, by turns. */
function work(turn) {
  const path = `lib/part-${Math.floor(turn / 2)}.ts`;
  if (turn % 2 === 1) return call("readFiles", { files: [path] });
  const lines = Array.from({ length: 60 }, (_, line) => `export const value${line} = ${line + turn}; // a line of the file\n`);
  return write({ ...(turn === 0 && pages(1, 0)), [path]: lines.join("") });
}

function reply(prompt, turn) {
  const [, count, round] = /^(\d+) pages, change (\d+)/.exec(prompt) ?? [];
  if (count) return turn === 0 ? write(pages(Number(count), Number(round))) : done;
  return turn < TURNS - 1 ? work(turn) : done;
}

const model = await startModel(reply, () => say("Measured app"));
const server = await startServer({
  ...model.env,
  RUST_LOG: "warn,codeflow::agent::check=debug",
  LOG_FORMAT: "json",
  AGENT_MAX_TURNS: String(TURNS + 10),
  AGENT_MAX_LOOKS: "0",
  RUN_MAX_TOKENS: "1000000000",
  FREE_POINTS: "unlimited",
});

/** How long the parts of the checks took that the log has, from this character on. */
function parts(from) {
  const took = new Map();
  for (const line of server.log.slice(from).split("\n")) {
    if (!line.includes('"check.part"')) continue;
    const fields = JSON.parse(line);
    took.set(fields["check.part"], [...(took.get(fields["check.part"]) ?? []), fields["check.took_ms"]]);
  }
  return took;
}

/** Changes an app of so many pages again and again. */
async function checks(count, goal) {
  const prompt = (round) => `${count} pages, change ${round}`;
  const project = await post(server, "/api/projects/create", { prompt: prompt(0) });
  // The first check also compiles what the template has not: later ones are what one waits for while one builds.
  await ended(server, project, 1);
  const from = server.log.length;
  const runs = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await post(server, "/api/messages/send", { project, text: prompt(round) });
    const run = await ended(server, project, round + 1);
    runs.push(run.finished_at - run.created_at);
  }
  const took = parts(from);
  const what = count === 1 ? "one page" : `${count} pages`;
  assert.equal(took.get("whole")?.length, ROUNDS, `the log has not all checks:\n${server.log}`);
  report(`${what}: a run that changes one`, runs);
  report(`${what}: its check`, took.get("whole"), `goal: p50 ≤ ${goal} ms`);
  for (const [part, times] of took) if (part !== "whole") report(`  ${part}`, times);
  const { text: styles } = await readFile(server, project, "app/globals.css");
  assert.ok(styles.includes("tailwindcss") && !styles.includes("codeflow-mark"), styles);
  await post(server, "/api/projects/delete", { project });
}

/** How many bytes two texts have in common at their beginning. */
function common(a, b) {
  const end = Math.min(a.length, b.length);
  let same = 0;
  while (same < end && a[same] === b[same]) same++;
  return same;
}

/** A run of many turns: what is sent to the model, and how much of it was sent before. */
async function long() {
  const before = model.requests.length;
  const project = await post(server, "/api/projects/create", { prompt: "A long run" });
  const run = await ended(server, project, 1);
  const asked = model.requests.slice(before).filter((request) => request.tools);
  assert.equal(asked.length, TURNS, "each turn is one request");
  const sent = asked.map(({ tools, messages }) => Buffer.from(JSON.stringify([tools, messages])));
  const again = sent.slice(1).map((request, number) => common(sent[number], request));
  // A list's end is no part of what comes before it.
  const kept = again.every((same, number) => same >= sent[number].length - "]]".length);
  const sum = (sizes) => sizes.reduce((total, size) => total + size, 0);
  const [all, resent] = [sum(sent.map((request) => request.length)), sum(again)];
  console.log(
    `a run of ${TURNS} turns: ${asked.length} requests, ${ms(run.finished_at - run.created_at)}, ${Math.round(all / 1000)} kB sent, of which ` +
      `${Math.round(resent / 1000)} kB again: ${((100 * resent) / all).toFixed(1)} % can come from a cache ` +
      `(${kept ? "each request begins with all of the one before" : "some requests change what was sent before"})`,
  );
}

try {
  for (const [count, goal] of APPS) await checks(count, goal);
  await long();
} finally {
  await server.stop();
  model.stop();
}
