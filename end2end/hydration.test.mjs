// Pages between the server's HTML and their code: opened at their address, clicked early, left and come back to.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { PATIENCE, post, startBrowser, startServer } from "./server.mjs";
import { watchConsole } from "./workspace.mjs";

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
});

after(() => stopAll(browser, server));

/** A page whose requests for these addresses are answered only once it is released. */
async function holding(pattern) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  let release;
  const released = new Promise((resolve) => (release = resolve));
  const asked = new Promise((resolve) => {
    void page.route(pattern, async (route) => {
      resolve();
      await released;
      await route.continue();
    });
  });
  return { page, asked, release };
}

const isAlive = (page) => page.locator("html[data-live]").waitFor({ state: "attached" });
const selected = (page, name) => page.getByRole("tab", { name, selected: true }).waitFor();
/** Effects have run and the page has been painted. */
const settled = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => requestAnimationFrame(done)))));

test("a project opened at its address comes alive although its code comes late, and shows its app", async () => {
  const project = await post(server, "/api/showcase/use", { slug: "quiz" });
  const { page, asked, release } = await holding("**/split_workspace.wasm");
  const problems = watchConsole(page, { previews: false });
  await page.goto(`${server.url}/projects/${project}`, { waitUntil: "commit" });
  await asked;
  await settled(page);
  assert.equal(await page.locator("html[data-live]").count(), 0, "it is not alive yet");
  release();
  await isAlive(page);
  await page.locator('iframe[title="Preview"]').waitFor();
  await page.reload();
  await isAlive(page);
  await page.locator('iframe[title="Preview"]').waitFor();
  await page.getByRole("tab", { name: "Code" }).click();
  await page.getByRole("treeitem").first().waitFor();
  assert.deepEqual(problems, []);
  await page.close();
});

test("what is clicked before a page is alive happens once it is", async () => {
  const project = await post(server, "/api/showcase/use", { slug: "quiz" });
  const { page, asked, release } = await holding("**/codeflow.wasm");
  await page.goto(`${server.url}/projects/${project}`, { waitUntil: "commit" });
  await asked;
  await page.getByRole("tab", { name: "Code" }).click();
  await selected(page, "Preview");
  release();
  await selected(page, "Code");
  await page.close();
});

test("from the home page to a project and back, each is fetched when it is wanted", async () => {
  const project = await post(server, "/api/showcase/use", { slug: "quiz" });
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  const problems = watchConsole(page, { previews: false });
  const parts = [];
  page.on("request", (request) => parts.push(new URL(request.url()).pathname));
  const hasWorkspace = () => parts.some((path) => path.includes("split_workspace"));
  await page.goto(server.url);
  await isAlive(page);
  await page.waitForLoadState("networkidle");
  assert.ok(!hasWorkspace(), "nobody has asked for a project yet");
  const link = page.locator(`a[href="/projects/${project}"]`);
  const fetched = page.waitForRequest(/split_workspace/);
  await link.hover();
  await fetched;
  await link.click();
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  await page.locator('iframe[title="Preview"]').waitFor();
  await page.goBack();
  await page.getByRole("textbox", { name: "Describe the app you want to build" }).waitFor();
  await page.goForward();
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  assert.deepEqual(problems, []);
  await page.close();
});

test("a project whose code can't be fetched says so, and is there when it is tried again", async () => {
  const project = await post(server, "/api/showcase/use", { slug: "quiz" });
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(server.url);
  await isAlive(page);
  await page.route("**/split_workspace.wasm", (route) => route.abort());
  await page.locator(`a[href="/projects/${project}"]`).click();
  const failure = page.getByRole("alert").filter({ hasText: "could not be fetched: the page" });
  await failure.waitFor();
  await page.unroute("**/split_workspace.wasm");
  await failure.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  await page.locator('iframe[title="Preview"]').waitFor();
  await page.close();
});

test("a project opened while its code can't be fetched stays as the server made it, and lives once it can", async () => {
  const project = await post(server, "/api/showcase/use", { slug: "quiz" });
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  const thrown = [];
  // A part's own request fails before the loader of wasm-split has come to wait for it.
  page.on("pageerror", (error) => error.message === "Failed to fetch" || thrown.push(error.message));
  let refused = 0;
  const refusals = new Promise((resolve) => {
    void page.route("**/split_workspace.wasm", async (route) => {
      refused += 1;
      if (refused === 3) resolve();
      await (refused > 3 ? route.continue() : route.abort());
    });
  });
  await page.goto(`${server.url}/projects/${project}`);
  await refusals;
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  await isAlive(page);
  await page.locator('iframe[title="Preview"]').waitFor();
  assert.deepEqual(thrown, []);
  await page.close();
});

test("a small part that can't be fetched says so in its place, and is there when it is tried again", async () => {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(server.url);
  await isAlive(page);
  await page.waitForLoadState("networkidle");
  await page.route("**/pkg/*.wasm", (route) => route.abort());
  await page.keyboard.press("Control+k");
  const dialog = page.getByRole("dialog", { name: "Commands" });
  await dialog.getByRole("alert").getByText("could not be fetched: the commands").waitFor();
  await page.unroute("**/pkg/*.wasm");
  await dialog.getByRole("button", { name: "Try again" }).click();
  await dialog.getByRole("option", { name: "New project" }).waitFor();
  await page.close();
});
