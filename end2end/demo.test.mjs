// A newcomer's first ten minutes, in the demo: prompt, watch, reload, use the app, ask for a change.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { results, startBrowser, startServer, until } from "./server.mjs";

let server;
let browser;
let page;
const problems = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const runs = () => page.locator("[data-run-state]");
const run = (number) => runs().nth(number - 1);
const preview = () => page.frameLocator('iframe[title="Preview"]');

async function finished(number, timeout = 180_000) {
  const state = await until(
    `run ${number} ends`,
    async () => {
      const state = (await runs().count()) >= number ? await run(number).getAttribute("data-run-state") : null;
      return ["succeeded", "failed", "cancelled"].includes(state) ? state : null;
    },
    timeout,
  );
  assert.equal(state, "succeeded", `run ${number} ${state}: ${await page.getByRole("log").innerText()}`);
}

const addButtonColor = () =>
  preview()
    .getByRole("button", { name: "Add", exact: true })
    .evaluate((button) => {
      // Through a canvas, so that any CSS colour notation becomes red, green, blue.
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      canvas.fillStyle = getComputedStyle(button).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    });

test("a prompt becomes a todo app that is used inside the page", async () => {
  await page.goto(server.url);
  await page.getByRole("textbox", { name: "Describe the app you want to build" }).fill("Build me a todo app with dark mode");
  const started = Date.now();
  await page.getByRole("button", { name: "Start Creating" }).click();
  await page.waitForURL(/\/projects\/[0-9a-f-]{36}$/);

  // Reload in mid-run: everything that was there is there again, and it goes on.
  await until("the agent writes files", async () => (await page.getByRole("log").innerText()).includes("app/page.tsx"));
  assert.equal(await run(1).getAttribute("data-run-state"), "running");
  await page.screenshot({ path: join(results, "running.png") });
  await page.reload();
  await page.getByRole("log").getByText("Build me a todo app with dark mode").first().waitFor();
  await until("what was written is shown again", async () => (await page.getByRole("log").innerText()).includes("app/page.tsx"));
  assert.equal(await runs().count(), 1);

  await finished(1);
  await preview().getByRole("textbox", { name: "New todo" }).waitFor();
  console.log(`from "Start Creating" to a usable preview: ${((Date.now() - started) / 1000).toFixed(1)} s`);

  await preview().getByRole("textbox", { name: "New todo" }).fill("Buy milk");
  await preview().getByRole("button", { name: "Add", exact: true }).click();
  const item = preview().getByRole("checkbox", { name: "Buy milk" });
  await item.click();
  await until("the item is ticked", () => item.isChecked());
  await page.screenshot({ path: process.env.UPDATE_SCREENSHOT ?? join(results, "workspace.png") });
});

test("the code tab shows what was written, highlighted", async () => {
  await page.getByRole("tab", { name: "Code" }).click();
  const tree = page.getByRole("tree", { name: "Files" });
  const file = tree.getByRole("treeitem", { name: "page.tsx" });
  if (!(await file.isVisible().catch(() => false))) await tree.getByRole("treeitem", { name: "app", exact: true }).click();
  await file.click();
  await until("the file is shown", async () => (await page.getByRole("tabpanel", { name: "Code" }).innerText()).includes("export default"));
  assert.ok((await page.locator('[role="tabpanel"] [class*="hl-keyword"]').count()) > 0, "keywords are highlighted");
  await page.screenshot({ path: join(results, "code.png") });
  await page.getByRole("tab", { name: "Preview" }).click();
});

test("a follow-up changes the running app", async () => {
  const before = await addButtonColor();
  await page.getByRole("textbox", { name: "Message" }).fill("Change the color scheme to blue");
  await page.getByRole("button", { name: "Send" }).click();
  await finished(2);
  await until("the preview is blue", async () => {
    const [red, green, blue] = await addButtonColor();
    return blue > red + 40 && blue > green;
  });
  assert.notDeepEqual(await addButtonColor(), before);
  await page.screenshot({ path: join(results, "follow-up.png") });
});

test("everything is there after a reload, and nothing was reported on the console", async () => {
  await page.reload();
  await until("both runs are shown", async () => (await runs().count()) === 2);
  await preview().getByRole("textbox", { name: "New todo" }).waitFor();
  assert.deepEqual(await runs().evaluateAll((entries) => entries.map((entry) => entry.dataset.runState)), ["succeeded", "succeeded"]);
  assert.deepEqual(problems, []);
});

test("a prompt that the demo has no recording for says so and lists what it has", async () => {
  await page.goto(server.url);
  await page.getByRole("link", { name: /todo/i }).first().waitFor();
  await page.getByRole("textbox", { name: "Describe the app you want to build" }).fill("An accounting suite for lighthouses");
  await page.getByRole("button", { name: "Start Creating" }).click();
  await page.waitForURL(/\/projects\//);
  await until("the run fails", async () => (await runs().count()) > 0 && (await run(1).getAttribute("data-run-state")) === "failed", 60_000);
  const log = await page.getByRole("log").innerText();
  assert.match(log, /demo/i);
  assert.match(log, /todo app with dark mode/i);
});
