// The dashboard: somebody watches runs, finds one, stops one and tries it again.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { PATIENCE, post, results, startBrowser, startServer, until } from "./server.mjs";
import { tabTo, watchConsole, workspace } from "./workspace.mjs";

let server;
let browser;
let page;
let problems;

const TODO = "Build me a todo app with dark mode";
const UNKNOWN = "A spaceship that knows 100% of the stars";

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page, { previews: false });
});

after(() => stopAll(browser, server));

/** Starts a project; its id. */
const create = (prompt) => post(server, "/api/projects/create", { prompt });

const rows = () => page.locator("tbody tr");
/** The way from a row to the run's details; the project's link may have the same words. */
const way = (row, prompt) => row.getByRole("link", { name: prompt }).first();
const states = () => rows().evaluateAll((rows) => rows.map((row) => row.dataset.runState));
const spent = () => page.getByRole("list", { name: "Spent so far" });
const focused = () => page.evaluate(() => document.activeElement.textContent.trim());

/** Waits until the rows' states are these. */
const shown = (expected) =>
  until(`the states are ${expected}`, async () => JSON.stringify(await states()) === JSON.stringify(expected), 2 * PATIENCE);

test("a run shows up while it works, and its row follows it to its end", async () => {
  const alive = page.waitForResponse(/\/api\/runs\/list/);
  await page.goto(`${server.url}/admin/runs`);
  await page.getByText("No runs yet").waitFor();
  await alive;
  await create(TODO);
  await shown(["running"]);
  const row = rows().first();
  await way(row, TODO).waitFor();
  const seconds = async () => Number.parseInt(await row.locator("[data-label=Duration]").innerText(), 10);
  const before = await seconds();
  await until("the duration counts on", async () => (await seconds()) > before);
  // The row stays the same element: nothing that the reader holds is taken away.
  await row.evaluate((row) => (row.dataset.seen = "yes"));
  await shown(["succeeded"]);
  assert.equal(await row.getAttribute("data-seen"), "yes");
  assert.equal(await spent().count(), 0, "the demo spends nothing");
  await row.getByText("Succeeded").waitFor();
  // When it began is text, with hour and zone, for those who can't point at it.
  for (const width of [390, 1024, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    assert.match(await row.locator("[data-label=Started]").innerText(), /(just now|ago)\s+.*\d{2}:\d{2}.*[A-Z]/);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, `nothing is wider than ${width} px`);
  }
});

test("a run's details show its steps on a time axis, and what each of them made", async () => {
  await way(rows().first(), TODO).click();
  await page.waitForURL(/\/admin\/runs\/[0-9a-f-]{36}$/);
  await page.getByRole("heading", { name: TODO }).waitFor();
  const steps = page.locator("[data-step-state]");
  await steps.filter({ hasText: "get-or-create-sandbox" }).waitFor();
  assert.ok((await steps.count()) > 5);
  for (const state of await steps.evaluateAll((steps) => steps.map((step) => step.dataset.stepState))) assert.equal(state, "succeeded");
  const turn = steps.filter({ hasText: /turn-1(?!-)/ }).first();
  const summary = turn.locator("summary");
  await summary.focus();
  await page.keyboard.press("Enter");
  await turn.getByText("Output", { exact: true }).waitFor();
  assert.match(await turn.locator("pre").innerText(), /tool_calls:/);
  await page.screenshot({ caret: "initial", path: join(results, "run-details.png"), fullPage: true });
  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await page.waitForURL(/\/admin\/runs$/);
});

test("a run is cancelled and replayed by the keyboard", async () => {
  const project = await create(TODO);
  await shown(["running", "succeeded"]);
  await way(rows().first(), TODO).focus();
  await tabTo(rows().first().getByRole("button", { name: "Cancel" }));
  await page.keyboard.press("Enter");
  await shown(["cancelled", "succeeded"]);
  assert.equal(await focused(), TODO, "the focus stays in the row");
  await tabTo(rows().first().getByRole("button", { name: "Replay" }));
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "see the new run" }).waitFor();
  await until("the new run is at work", async () => ["queued", "running"].includes((await states())[0]));
  assert.equal(await focused(), "Replay", "the focus stays on the button");
  await page.screenshot({ caret: "initial", path: join(results, "runs.png") });

  // The conversation shows both after their prompt, each with the way to its details.
  await page.goto(`${server.url}/projects/${project}`);
  const ui = workspace(page);
  await ui.finished(2);
  assert.equal(await ui.run(1).getAttribute("data-run-state"), "cancelled");
  assert.equal(await ui.log().getByText(TODO, { exact: true }).count(), 1);
  await ui.run(2).getByRole("link", { name: "Run details" }).click();
  await page.getByRole("heading", { name: TODO }).waitFor();
});

test("runs are found by state and words, and a reload finds the same", async () => {
  await create(UNKNOWN);
  await page.goto(`${server.url}/admin/runs`);
  await until("the last run has ended", async () => !["queued", "running"].includes((await states())[0]));
  const search = page.getByRole("searchbox", { name: "Search runs" });
  await search.fill("100%");
  await until("one run is found", async () => (await rows().count()) === 1);
  await way(rows().first(), UNKNOWN).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("search"), "100%");
  assert.equal(await page.evaluate(() => document.activeElement.name), "search", "typing can go on");
  await search.fill("no such words");
  await page.getByText("No runs match").waitFor();
  await page.getByRole("link", { name: "Show all runs" }).click();
  await until("all are shown", async () => (await rows().count()) === 4);
  assert.equal(await search.inputValue(), "", "the field says what is looked for");

  await page.getByRole("combobox", { name: "State" }).selectOption("cancelled");
  await until("one run is found", async () => (await rows().count()) === 1);
  assert.equal(new URL(page.url()).search, "?state=cancelled");
  await page.reload();
  assert.deepEqual(await states(), ["cancelled"]);
  assert.equal(await page.getByRole("combobox", { name: "State" }).inputValue(), "cancelled");
});

test("without scripts the list and a run's details are there too", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(`${server.url}/admin/runs`);
  await plain.getByRole("searchbox", { name: "Search runs" }).fill("spaceship");
  await plain.getByRole("button", { name: "Search" }).click();
  assert.equal(await plain.locator("tbody tr").count(), 1);
  await way(plain.locator("tbody"), UNKNOWN).click();
  await plain.getByRole("heading", { name: UNKNOWN }).waitFor();
  const unknown = await plain.goto(`${server.url}/admin/runs/00000000-0000-7000-8000-000000000000`);
  assert.equal(unknown.status(), 404);
  await context.close();
});

test("on a phone nothing is wider than the screen", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of ["/admin/runs", null]) {
    if (path) await page.goto(`${server.url}${path}`);
    else await way(rows().first(), UNKNOWN).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `${page.url()} is ${wide} px wide`);
  }
  assert.deepEqual(problems, []);
});

test("the cost appears as soon as a run has ended", async () => {
  await server.stop();
  const model = await startModel((_, turn) => (turn > 0 ? done : write({ "app/page.tsx": "export default function Page() {\n  return <h1>Paid</h1>;\n}\n" })));
  server = await startServer({ ...model.env, AI_MODEL: "gpt-4o", AGENT_MAX_LOOKS: "0" });
  const alive = page.waitForResponse(/\/api\/runs\/list/);
  await page.goto(`${server.url}/admin/runs`);
  await page.getByText("No runs yet").waitFor();
  await alive;
  assert.equal(await spent().count(), 0);
  await create("Build a page");
  await shown(["succeeded"]);
  // Two turns and a title, at 7 tokens in and 3 out.
  await spent().getByText("local: 1 run, 30 tokens, $0.0001", { exact: true }).waitFor();
  model.stop();
});
