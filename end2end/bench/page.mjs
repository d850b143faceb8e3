// Measures the page as its visitors feel it, in Chromium on this machine: figures with the goals beside them. Speed fails nothing, but what
// does not work does.
import { createServer } from "node:http";
import { once } from "node:events";
import { brotliCompressSync } from "node:zlib";
import { post, startBrowser, startServer } from "../server.mjs";
import { workspace } from "../workspace.mjs";
import { ended, line, median, ms, quantile } from "./shared.mjs";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
/** Messages of the long project, half of them answers that each made a version. */
const MESSAGES = Number(process.env.BENCH_MESSAGES ?? 300);
/** The streamed answer, in kB, and the files beside it. */
const ANSWER_KB = Number(process.env.BENCH_PAGE_ANSWER_KB ?? 10_000);
const FILES = Number(process.env.BENCH_PAGE_FILES ?? 300);
/** The file that is typed in, and how many keys. */
const LINES = Number(process.env.BENCH_LINES ?? 5000);
const KEYS = Number(process.env.BENCH_KEYS ?? 200);

/** A paragraph with a list and some code, as models write them. */
const PIECE = "A paragraph of **words** with `code` in it.\n\n- one\n- two\n\n```ts\nconst a = 1;\nconsole.log(a);\n```\n\n";

/** A scripted model that streams: what is due is read off the prompt and the number of answers since. */
async function startModel() {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const asked = JSON.parse(body);
    const at = asked.messages.findLastIndex((message) => message.role === "user");
    const turn = asked.messages.slice(at).filter((message) => message.role === "assistant").length;
    const prompt = JSON.stringify(asked.messages[at]?.content ?? "");
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (delta, finish = null) => response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
    const files = (all) => {
      const args = JSON.stringify({ files: all.map(([path, content]) => ({ path, content })) });
      send({ tool_calls: [{ index: 0, id: "call_0", type: "function", function: { name: "createOrUpdateFiles", arguments: args } }] });
      send({}, "tool_calls");
    };
    if (!asked.tools) {
      send({ content: "A measured app" });
      send({}, "stop");
    } else if (prompt.includes("Stream") && turn === 0) {
      files(Array.from({ length: FILES }, (_, number) => [`lib/part-${number}.ts`, `export const part${number} = ${number};\n`]));
    } else if (prompt.includes("Stream")) {
      for (let sent = 0; sent < ANSWER_KB * 1000; sent += 4 * PIECE.length) {
        send({ content: PIECE.repeat(4) });
        if (response.writableNeedDrain) await once(response, "drain");
      }
      send({ content: "\n<task_summary>Streamed.</task_summary>" });
      send({}, "stop");
    } else if (turn === 0) {
      const content = prompt.includes("Long file")
        ? [["lib/long.ts", Array.from({ length: LINES }, (_, number) => `export const value${number} = ${number}; // a line of the file\n`).join("")]]
        : [];
      const words = /Change (\d+)/.exec(prompt)?.[1] ?? "first";
      files([...content, ["app/page.tsx", `export default function Page() {\n  return <h1>${words}</h1>;\n}\n`]]);
    } else {
      send({ content: "Done.\n<task_summary>Changed the words on the page.</task_summary>" });
      send({}, "stop");
    }
    response.end(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } })}\n\ndata: [DONE]\n\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    env: { AI_PROVIDER: "custom", OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`, OPENAI_API_KEY: "bench", AI_MODEL: "scripted" },
    stop: () => server.close(),
  };
}

/** Notes in every page what paints, moves and blocks. */
function observe() {
  globalThis.measured = { lcp: 0, cls: 0, tasks: [] };
  const seen = (type, note) => new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
  seen("largest-contentful-paint", (entry) => (globalThis.measured.lcp = entry.startTime));
  seen("layout-shift", (entry) => entry.hadRecentInput || (globalThis.measured.cls += entry.value));
  seen("longtask", (entry) => globalThis.measured.tasks.push([entry.startTime, entry.duration]));
}

const model = await startModel();
// The page of an app is checked without a browser: this measures ours.
const server = await startServer({ ...model.env, CHROMIUM_PATH: "off", RUN_MAX_TOKENS: "1000000000" });
const browser = await startBrowser();

async function open() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.addInitScript(observe);
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  return page;
}

/** Opens an address anew several times. */
async function load(url) {
  const [lcp, cls, fcp] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const page = await open();
    await page.goto(url);
    await page.waitForLoadState("load");
    // Until the page lives and what it fetches has moved what it moves.
    await page.waitForFunction(() => document.querySelector("textarea") !== null);
    await page.waitForTimeout(1500);
    const figures = await page.evaluate(() => ({ ...globalThis.measured, fcp: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0 }));
    lcp.push(figures.lcp);
    cls.push(figures.cls);
    fcp.push(figures.fcp);
    await page.context().close();
  }
  return { lcp: median(lcp), cls: Math.max(...cls), fcp: median(fcp) };
}

/** What of scripts and wasm a page fetches, or fetches when `act` is done on it, in bytes as brotli hands them out: all, and of that the
 * bundles that stand in a folder of their own. */
async function weight(url, act) {
  const page = await open();
  const bodies = [];
  page.on("response", (response) => {
    const type = response.headers()["content-type"] ?? "";
    const { host, pathname } = new URL(response.url());
    if (host !== new URL(server.url).host || !/javascript|wasm/.test(type)) return;
    bodies.push(response.body().then((body) => ({ bundled: /^\/(editor|terminal)\//.test(pathname), size: brotliCompressSync(body).length })));
  });
  await page.goto(url);
  await page.waitForLoadState("networkidle");
  if (act) {
    bodies.length = 0;
    await act(page);
    await page.waitForLoadState("networkidle");
  }
  const all = await Promise.all(bodies);
  await page.context().close();
  const sum = (some) => some.reduce((total, { size }) => total + size, 0);
  return { all: sum(all), bundled: sum(all.filter(({ bundled }) => bundled)) };
}

async function project(prompt) {
  const id = await post(server, "/api/projects/create", { prompt });
  await ended(server, id, 1);
  return id;
}

try {
  const kB = (bytes) => `${Math.ceil(bytes / 1000)} kB`;
  line("scripts and wasm of / after brotli", kB((await weight(server.url)).all), "goal: ≤ 350 kB");
  const small = `${server.url}/projects/${await project("Long file, please")}`;
  line("scripts and wasm of a project after brotli", kB((await weight(small)).all));
  for (const tab of ["Code", "Terminal"]) {
    const more = await weight(small, async (page) => {
      await page.getByRole("tab", { name: tab, exact: true }).click();
      await page.locator(tab === "Code" ? ".cm-content" : ".xterm-rows").first().waitFor();
    });
    line(`what the tab ${tab} fetches besides`, kB(more.all));
    line(tab === "Code" ? "of that the editor" : "of that the terminal's screen", kB(more.bundled), tab === "Code" ? "goal: ≤ 250 kB" : "");
  }

  const home = await load(server.url);
  line("largest contentful paint of /", ms(home.lcp), "goal: no later than before");
  line("layout shift of /", home.cls.toFixed(4), "goal: < 0.02");
  const own = await load(small);
  line("largest contentful paint of a project", ms(own.lcp), "goal: no later than before");
  line("layout shift of a project", own.cls.toFixed(4), "goal: < 0.02");

  // Keys in a long file: from the key to the end of the frame that shows it, on the page's main thread.
  const page = await open();
  await page.goto(`${small}?file=lib/long.ts&line=${Math.ceil(LINES / 2)}`);
  await page.getByRole("textbox", { name: "Editor" }).click();
  await browser.startTracing(page, { categories: ["devtools.timeline"] });
  for (let key = 1; key <= KEYS; key++) {
    await page.keyboard.press("abcdefghij"[key % 10]);
    // Lines as long as those of code.
    if (key % 40 === 0) await page.keyboard.press("Enter");
  }
  // The frame of the last one.
  await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const timings = traceEvents.filter(({ name, ph }) => name === "EventTiming" && ph === "b").map(({ args }) => args.data);
  const keys = timings.filter(({ type, commitFinishTime }) => type === "keydown" && commitFinishTime).map((key) => key.commitFinishTime - key.timeStamp);
  if (keys.length < KEYS) throw new Error(`${keys.length} of ${KEYS} keys were shown`);
  line(`a key in a file of ${LINES} lines, median of ${KEYS}`, ms(median(keys)), "goal: < 16 ms");
  line("the same, 95th percentile", ms(quantile(keys, 0.95)));
  await page.context().close();

  // A long answer with many files, as somebody who looks at it has it.
  const watching = await open();
  const ui = workspace(watching);
  const streamed = await project("A page to talk about");
  await watching.goto(`${server.url}/projects/${streamed}`);
  await watching.waitForLoadState("networkidle");
  await ui.send("Stream a long answer");
  const begun = await watching.evaluate(() => performance.now());
  // Asked of the server, and then for little: what this looks up in the page would count as the page's own work.
  await ended(server, streamed, 2);
  await watching.waitForFunction(() => document.querySelectorAll("[data-run-state=succeeded]").length === 2, null, { polling: 500 });
  await watching.waitForTimeout(2000);
  const tasks = await watching.evaluate(() => globalThis.measured.tasks);
  const later = tasks.filter(([start]) => start > begun + 1000).map(([, duration]) => duration);
  line(`longest task in an answer of ${ANSWER_KB} kB and ${FILES} files`, ms(Math.max(0, ...later)), "goal: ≤ 200 ms after the first second");
  line("tasks over 200 ms", String(later.filter((duration) => duration > 200).length), "goal: none");
  await watching.context().close();

  const id = await project("A page that grows old");
  for (let run = 2; run <= MESSAGES / 2; run++) {
    await post(server, "/api/messages/send", { project: id, text: `Change ${run}` });
    await ended(server, id, run);
  }
  const long = await load(`${server.url}/projects/${id}`);
  line(`first paint with ${MESSAGES} messages and ${MESSAGES / 2} versions`, ms(long.fcp));
  line("first paint of a small project", ms(own.fcp));
  line("ratio", (long.fcp / own.fcp).toFixed(2), "goal: ≤ 1.5");
} finally {
  await browser.close();
  await server.stop();
  model.stop();
}
