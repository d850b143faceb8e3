// A newcomer's first ten minutes, in the demo: prompt, watch, reload, use the app, ask for a change.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { join } from "node:path";
import { PATIENCE, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

let server;
let browser;
let page;
let problems;
let ui;

before(async () => {
  server = await startServer({ SANDBOX_POOL_SIZE: "1" });
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page);
  ui = workspace(page);
});

after(() => stopAll(browser, server));

const addButtonColor = () =>
  ui
    .preview()
    .getByRole("button", { name: "Add", exact: true })
    .evaluate((button) => {
      // Through a canvas, so that any CSS colour notation becomes red, green, blue.
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      canvas.fillStyle = getComputedStyle(button).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    });

test("a prompt becomes a todo app that is used inside the page", async () => {
  const started = Date.now();
  await ui.start(server.url, "Build me a todo app with dark mode");

  // Reload in mid-run: everything that was there is there again, and it goes on.
  await until("the agent writes files", async () => (await ui.log().innerText()).includes("lib/todos.ts"));
  assert.equal(await ui.run(1).getAttribute("data-run-state"), "running");
  await page.screenshot({ caret: "initial", path: join(results, "running.png"), caret: "initial" });
  await page.reload();
  await ui.log().getByText("Build me a todo app with dark mode").first().waitFor();
  await until("what was written is shown again", async () => (await ui.log().innerText()).includes("lib/todos.ts"));
  assert.equal(await ui.runs().count(), 1);

  await ui.finished(1);
  const field = ui.preview().getByRole("textbox", { name: "New todo" });
  const item = (name) => ui.preview().getByRole("checkbox", { name });
  const add = async (name) => {
    await field.fill(name);
    await ui.preview().getByRole("button", { name: "Add", exact: true }).click();
    return item(name).waitFor({ timeout: 1_000 });
  };
  // A page is seen before its script has taken it over: usable is what does what it should.
  await until("the app takes an item", () => add("Buy milk").then(() => true, () => false), 2 * PATIENCE);
  console.log(`from "Start Creating" to a usable preview: ${((Date.now() - started) / 1000).toFixed(1)} s`);

  const gap = () =>
    page.getByRole("region", { name: "Messages" }).evaluate((log) => log.scrollHeight - log.clientHeight - Math.ceil(log.scrollTop));
  await until("the conversation shows its end", async () => (await gap()) <= 0);

  await add("Write to Ada");
  await add("Water the plants");
  await item("Buy milk").click();
  await until("the item is ticked", () => item("Buy milk").isChecked());
  assert.equal(await item("Write to Ada").isChecked(), false);
  await page.screenshot({ caret: "initial", path: join(results, "workspace.png"), caret: "initial" });
});

test("the code tab shows what was written, highlighted", async () => {
  await page.getByRole("tab", { name: "Code" }).click();
  const tree = page.getByRole("tree", { name: "Files" });
  const file = tree.getByRole("treeitem", { name: "page.tsx" });
  const folder = tree.getByRole("treeitem", { name: "app", exact: true });
  await folder.waitFor();
  if ((await folder.getAttribute("aria-expanded")) !== "true") await folder.click();
  await file.click();
  await until("the file is shown", async () => (await page.getByRole("tabpanel", { name: "Code" }).innerText()).includes("export default"));
  assert.ok((await page.locator('[role="tabpanel"] [class*="hl-keyword"]').count()) > 0, "keywords are highlighted");
  await page.screenshot({ caret: "initial", path: join(results, "code.png"), caret: "initial" });
  await page.getByRole("tab", { name: "Preview" }).click();
});

test("a follow-up changes the running app", async () => {
  const before = await addButtonColor();
  await ui.send("Change the color scheme to blue");
  await ui.finished(2);
  await until("the preview is blue", async () => {
    const [red, green, blue] = await addButtonColor();
    return blue > red + 40 && blue > green;
  });
  assert.notDeepEqual(await addButtonColor(), before);
  await page.screenshot({ caret: "initial", path: join(results, "follow-up.png"), caret: "initial" });
});

test("everything is there after a reload, and nothing was reported on the console", async () => {
  await page.reload();
  await until("both runs are shown", async () => (await ui.runs().count()) === 2);
  await ui.preview().getByRole("textbox", { name: "New todo" }).waitFor();
  assert.deepEqual(await ui.runs().evaluateAll((entries) => entries.map((entry) => entry.dataset.runState)), ["succeeded", "succeeded"]);
  assert.deepEqual(problems, []);
});

test("the checks saw the styles that they had made again", () => {
  const missed = server.log.match(/the dev server does not serve its styles/g) ?? [];
  assert.ok(missed.length < 2, "neither of the two checks saw them");
});

test("a prompt that the demo has no recording for says so and lists what it has", async () => {
  await ui.start(server.url, "An accounting suite for lighthouses");
  await until("the run fails", async () => (await ui.runs().count()) > 0 && (await ui.run(1).getAttribute("data-run-state")) === "failed", 2 * PATIENCE);
  const log = await ui.log().innerText();
  assert.match(log, /demo/i);
  assert.match(log, /todo app with dark mode/i);
});
