// The demo's other recordings: each is built in a real sandbox, used in the preview, and changed by a follow-up.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

let server;
let browser;
let page;
let problems;
let ui;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: "light" });
  page.setDefaultTimeout(60_000);
  problems = watchConsole(page);
  ui = workspace(page);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Adds the dark mode toggle, and uses it. */
async function addToggle() {
  await ui.send("Add a dark mode toggle");
  await ui.finished(2);
  const toggle = ui.preview().getByRole("button", { name: "Dark mode" });
  await toggle.click();
  await until("the app is dark", () => ui.preview().locator("html.dark").count());
}

test("a kanban board is built, gets a card, and a dark mode", async () => {
  await ui.start(server.url, "Build a kanban board");
  await ui.finished(1);
  await ui.preview().getByRole("button", { name: "New card" }).click();
  const dialog = ui.preview().getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Title" }).fill("Try it out");
  await dialog.getByRole("button", { name: /add|create|save/i }).click();
  await ui.preview().getByText("Try it out").first().waitFor();
  await addToggle();
  await page.screenshot({ path: join(results, "kanban-board.png") });
});

test("a landing page is built, and gets a dark mode", async () => {
  await ui.start(server.url, "Create a landing page with a hero and pricing");
  await ui.finished(1);
  await ui.preview().getByRole("heading", { level: 1 }).waitFor();
  assert.ok((await ui.preview().getByText("Pricing").count()) > 0);
  await addToggle();
  await page.screenshot({ path: join(results, "landing-page.png") });
});

test("nothing was reported on the console, by the page or by the apps in it", () => {
  assert.deepEqual(problems, []);
});
