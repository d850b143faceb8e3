// Sharing between two people who sign in: a link, a visit without an account, a copy of one's own, and the end of the link. And a private
// preview's address, which is nobody else's.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { done, startModel, write } from "./model.mjs";
import { person, signUp } from "./people.mjs";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 480_000 };

let model;
let server;
let browser;
let owner;
let problems;
let link;

before(async () => {
  model = await startModel((_, turn) =>
    turn > 0 ? done : write({ "app/page.tsx": "export default function Page() {\n  return <h1>Shared words</h1>;\n}\n" }),
  );
  server = await startServer({ ...model.env, AUTH: "on" });
  browser = await startBrowser();
});

after(() => stopAll(browser, server, model));

const newPerson = (options = {}) => person(browser, { viewport: { width: 1024, height: 768 }, ...options });

/** The status that a script of the page's person gets. By the address: only browsers know names below localhost. */
async function asScript(page, address) {
  const { host, port } = new URL(address);
  const answer = await page.request.get(`http://127.0.0.1:${port}/`, { headers: { host, "sec-fetch-mode": "cors" } });
  return answer.status();
}

const shown = (page) => page.frameLocator('iframe[title="Preview"]').getByRole("heading", { name: "Shared words" });

test("a preview where people sign in is the project's own and opens in its frame", LIMIT, async () => {
  owner = await newPerson();
  problems = watchConsole(owner, { previews: false });
  await owner.goto(`${server.url}/sign-up`);
  await owner.waitForLoadState("networkidle");
  await signUp(owner, "owner@example.com");
  await owner.getByRole("button", { name: "Account" }).waitFor();
  const ui = workspace(owner);
  await ui.start(server.url, "Build a page with words");
  await ui.finished(1);
  await shown(owner).waitFor({ timeout: 90_000 });
});

test("its address is refused to a stranger, by a person and by a script", LIMIT, async () => {
  const address = await owner.locator('iframe[title="Preview"]').getAttribute("src");
  const stranger = await newPerson();
  const answer = await stranger.goto(address);
  assert.equal(answer.status(), 403);
  assert.equal(await stranger.getByText("Shared words").count(), 0);
  await stranger.getByRole("link", { name: "Sign in" }).waitFor();
  assert.equal(await asScript(stranger, address), 403);
  await stranger.goto(`${server.url}/sign-up`);
  await stranger.waitForLoadState("networkidle");
  await signUp(stranger, "stranger@example.com");
  await stranger.getByRole("button", { name: "Account" }).waitFor();
  assert.equal((await stranger.goto(address)).status(), 404);
  // Its owner may open it in a tab of its own.
  const tab = await owner.context().newPage();
  await tab.goto(address);
  await tab.getByRole("heading", { name: "Shared words" }).waitFor();
  await tab.close();
  await stranger.context().close();
});

test("a project is shared with a switch, and its link is copied", LIMIT, async () => {
  await owner.getByRole("button", { name: "Share", exact: true }).click();
  const dialog = owner.getByRole("dialog", { name: "Share" });
  const toggle = dialog.getByRole("switch", { name: "Anyone with the link" });
  await toggle.waitFor();
  assert.equal(await toggle.getAttribute("aria-checked"), "false");
  await toggle.focus();
  await owner.keyboard.press("Space");
  const field = dialog.getByRole("textbox", { name: "Link" });
  await field.waitFor();
  link = await until("the link is there", async () => {
    const value = await field.inputValue();
    return /\/s\/[\w-]{22,}$/.test(value) ? value : null;
  });
  assert.equal(await field.isEditable(), false);
  await dialog.getByLabel("Visitors may read the source").check();
  for (const theme of ["light", "dark"]) {
    await preferTheme(owner, theme);
    await assertAccessible(owner, `the dialog, ${theme}`);
  }
  await owner.screenshot({ caret: "initial", path: join(results, "share-dialog.png") });
  await dialog.getByRole("button", { name: "Close" }).click();
  assert.deepEqual(problems, []);
});

test("a visitor without an account sees the app, and its source, on every width", LIMIT, async () => {
  const visitor = await newPerson();
  const seen = watchConsole(visitor, { previews: false });
  const answer = await visitor.goto(link);
  assert.equal(answer.status(), 200);
  await shown(visitor).waitFor({ timeout: 120_000 });
  assert.equal(await visitor.locator('meta[property="og:title"]').count(), 1);
  for (const width of [390, 1024, 1920]) {
    await visitor.setViewportSize({ width, height: 800 });
    for (const theme of ["light", "dark"]) {
      await preferTheme(visitor, theme);
      await assertAccessible(visitor, `a shared app at ${width}, ${theme}`);
    }
    const wide = await visitor.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, `it scrolls sideways at ${width}`);
    await visitor.screenshot({ caret: "initial", path: join(results, `shared-${width}.png`) });
  }
  await visitor.getByRole("link", { name: "Source" }).click();
  await visitor.getByText("Shared words").waitFor();
  await assertAccessible(visitor, "the source");
  assert.deepEqual(seen, []);
  await visitor.context().close();
});

test("without scripts the page shows the app too", LIMIT, async () => {
  const visitor = await newPerson({ javaScriptEnabled: false });
  await visitor.goto(link);
  await visitor.locator('iframe[title="Preview"]').waitFor({ timeout: 60_000 });
  await visitor.getByRole("button", { name: "Remix" }).waitFor();
  await visitor.context().close();
});

test("who remixes signs up, comes back, and has a project of their own", LIMIT, async () => {
  const visitor = await newPerson();
  await visitor.goto(link);
  await visitor.getByRole("button", { name: "Remix" }).click();
  await visitor.waitForURL(/\/sign-in/);
  await visitor.getByRole("link", { name: "Make one" }).click();
  await visitor.waitForURL(/\/sign-up/);
  await visitor.waitForLoadState("networkidle");
  await signUp(visitor, "visitor@example.com");
  await visitor.waitForURL(link);
  await visitor.getByRole("button", { name: "Remix" }).click();
  await visitor.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
  await shown(visitor).waitFor({ timeout: 120_000 });
  await visitor.context().close();
});

test("when the switch is off again, the link leads nowhere", LIMIT, async () => {
  const visitor = await newPerson();
  await visitor.goto(link);
  await shown(visitor).waitFor({ timeout: 60_000 });
  const address = await visitor.locator('iframe[title="Preview"]').getAttribute("src");
  await owner.getByRole("button", { name: "Share", exact: true }).click();
  const toggle = owner.getByRole("switch", { name: "Anyone with the link" });
  await toggle.click();
  await owner.getByRole("textbox", { name: "Link" }).waitFor({ state: "detached" });
  await until("the shared app has ended", async () => (await asScript(visitor, address)) >= 400);
  assert.equal((await visitor.goto(link)).status(), 404);
  await visitor.getByRole("heading", { name: "This app is not shared" }).waitFor();
  await assertAccessible(visitor, "a link that has ended");
  await visitor.context().close();
});
