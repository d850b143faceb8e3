// Files whose names are as odd and as long as a disk allows: in the tree, the tabs, the address, the versions and the ZIP file. A version
// that is read can't be changed, and one is not restored while a run works.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { done, run, startModel, write } from "./model.mjs";
import { readFile, results, startBrowser, startServer, until } from "./server.mjs";
import { code, openTab, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 240_000 };
/** As long as a name may be: 255 bytes. */
const LONGEST = `${"ü".repeat(125)}ab.ts`;
const NAMES = [LONGEST, "[id].ts", "(group) @modal.ts", "100% #1 & more?.ts", "a b.ts", "🙂 שלום.ts", "it's \"quoted\" `$(id)`.ts"];
const PATHS = NAMES.map((name) => `lib/${name}`);
const text = (words, at) => `export const words = "${words} ${at}";\n`;
const files = (words) => Object.fromEntries(PATHS.map((path, at) => [path, text(words, at)]));

let model;
let server;
let browser;
let address;
let project;

before(async () => {
  assert.equal(Buffer.byteLength(LONGEST), 255);
  model = await startModel((prompt, turn) => {
    if (turn > 0) return done;
    if (prompt.includes("Wait")) return run("while [ ! -e /tmp/go ]; do sleep 0.1; done");
    const words = prompt.includes("Change") ? "second" : "first";
    return write({ "app/page.tsx": `export default function Page() {\n  return <h1>The ${words}</h1>;\n}\n`, ...files(words) });
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  const { tab, ui } = await openTab(browser);
  await ui.start(server.url, "Build a page");
  await ui.finished(1);
  await ui.send("Change the words");
  await ui.finished(2);
  address = tab.url();
  project = address.split("/").at(-1);
  await tab.context().close();
});

after(() => stopAll(browser, server, model));

async function open(width) {
  const { tab: page, problems } = await openTab(browser, { width });
  return { page, problems, at: code(page, address) };
}

const line = (page, name) => page.getByRole("tree", { name: "Files" }).getByRole("treeitem", { name, exact: true });
const list = (page) => page.getByRole("list", { name: "Versions" });
const fits = async (page) => assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);

const stored = async (path) => (await readFile(server, project, path)).text;

test("odd and long names are in the tree, the tabs and the address, and a longer one is refused in a sentence", LIMIT, async () => {
  const { page, problems, at } = await open();
  await at.open("app/page.tsx");
  await page.getByRole("searchbox", { name: "Filter files" }).fill("lib/");
  for (const [index, name] of NAMES.entries()) {
    await line(page, name).click();
    await until(`${name} is shown`, async () => (await at.text()) === text("second", index));
    const tab = at.tabs.and(page.locator("[aria-selected=true]"));
    assert.equal(await tab.getAttribute("title"), PATHS[index]);
    assert.equal((await tab.innerText()).trim(), name);
    await until("the address names it", () => new URL(page.url()).searchParams.get("file") === PATHS[index]);
  }
  assert.equal(await at.tabs.count(), NAMES.length + 1);
  // The address of the longest leads to it again, where it is edited.
  await at.open(PATHS[0]);
  await until("its text is shown", async () => (await at.text()) === text("second", 0));
  await at.type(text("typed", 0));
  await at.says("Saved");
  assert.equal(await stored(PATHS[0]), text("typed", 0));
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    for (const theme of ["light", "dark"]) {
      await preferTheme(page, theme);
      await page.screenshot({ caret: "initial", path: join(results, `names-${width}-${theme}.png`) });
    }
    if (width === 390) await assertAccessible(page, "long names on a phone", 'section[aria-label="App"]');
    await fits(page);
  }
  await page.getByRole("button", { name: "New file" }).click();
  const dialog = page.getByRole("dialog", { name: "New file" });
  await dialog.getByRole("textbox", { name: "Path in the app" }).fill(`lib/x${LONGEST}`);
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.getByRole("alert").filter({ hasText: "up to 255 bytes" }).waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual(problems.filter((problem) => !problem.includes("400")), []);
  await page.context().close();
});

test("a version's files are read under an address of their own, and nothing of them can be changed", LIMIT, async () => {
  const { page, problems } = await open();
  const version = page.getByRole("tablist", { name: "The version" });
  const shown = (path, words) => page.getByLabel(`The text of ${path}`, { exact: true }).filter({ hasText: words }).waitFor();
  await page.goto(`${address}?version=1&file=${encodeURIComponent(PATHS[0])}`);
  await version.getByRole("tab", { name: "Code", selected: true }).waitFor();
  await shown(PATHS[0], "first 0");
  // The folders of the file that the address names are open.
  const lib = line(page, "lib");
  for (const [index, name] of NAMES.entries()) {
    await line(page, name).click();
    await shown(PATHS[index], `first ${index}`);
    await until("the address names it", () => new URL(page.url()).searchParams.get("file") === PATHS[index]);
    assert.equal(new URL(page.url()).searchParams.get("version"), "1");
  }
  // There is nothing to type in, and the keys that change files elsewhere do nothing.
  const app = page.getByRole("region", { name: "App", exact: true });
  assert.equal(await app.locator("textarea, input, [contenteditable=true]").filter({ visible: true }).count(), 0);
  assert.equal(await app.getByRole("button", { name: /^(Save|Delete|New file|Rename or move)$/ }).count(), 0);
  await page.getByRole("tree", { name: "Files" }).focus();
  for (const key of ["F2", "Delete", "ContextMenu"]) await page.keyboard.press(key);
  assert.equal(await page.locator("dialog[open], :popover-open").count(), 0);
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    for (const theme of ["light", "dark"]) {
      await preferTheme(page, theme);
      await page.screenshot({ caret: "initial", path: join(results, `version-code-${width}-${theme}.png`) });
    }
    await assertAccessible(page, `the code of a version at ${width} px`, 'section[aria-label="App"]');
    await fits(page);
  }
  // The preview's tab has no file in its address.
  await version.getByRole("tab", { name: "Preview" }).click();
  await until("the address names the version alone", () => new URL(page.url()).search === "?version=1");
  assert.deepEqual(problems, []);
  // A file that the version does not have is a sentence, and the way back leads to the app.
  await page.goto(`${address}?version=1&file=lib%2Fnone.ts`);
  await app.getByRole("alert").filter({ hasText: "There is no such file in the app." }).waitFor();
  await page.getByRole("link", { name: "Back to the newest" }).click();
  await page.frameLocator('iframe[title="Preview"]').getByRole("heading", { name: "The second" }).waitFor();
  assert.equal(new URL(page.url()).search, "");
  await page.context().close();
});

test("on a phone the list gives way to the version that is viewed", LIMIT, async () => {
  const { page, problems } = await open(390);
  await page.goto(address);
  await page.waitForLoadState("networkidle");
  await page.getByRole("button", { name: "App", exact: true }).click();
  await page.getByRole("button", { name: "Versions", exact: true }).click();
  await list(page).locator(":scope > li").filter({ hasText: "Version 1" }).getByRole("button", { name: "View" }).click();
  await page.getByText("You are viewing version 1").waitFor();
  await list(page).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Back to the newest" }).click();
  await page.frameLocator('iframe[title="Preview"]').getByRole("heading", { name: "The second" }).waitFor();
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("what changed is listed by its odd names, and the ZIP file of a version has them all", LIMIT, async () => {
  const { page, problems } = await open();
  await page.goto(address);
  await page.getByRole("button", { name: "Versions", exact: true }).click();
  const second = list(page).locator(":scope > li").filter({ hasText: "Version 2" });
  await second.getByRole("button", { name: /changed$/ }).click();
  for (const [index, path] of PATHS.entries()) {
    await second.getByRole("button", { name: path }).click();
    await second.getByText(`second ${index}`).waitFor();
  }
  await fits(page);
  await page.screenshot({ caret: "initial", path: join(results, "names-changes.png") });
  const first = list(page).locator(":scope > li").filter({ hasText: "Version 1" });
  const [download] = await Promise.all([page.waitForEvent("download"), first.getByRole("link", { name: "Download Version 1" }).click()]);
  const folder = mkdtempSync(join(tmpdir(), "codeflow-names-"));
  try {
    const file = join(folder, "app.zip");
    await download.saveAs(file);
    const read = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as file:
    print(json.dumps({name: file.read(name).decode() for name in file.namelist() if name.startswith("lib/") and name.endswith(".ts")}))`;
    const unpacked = JSON.parse(execFileSync("python3", ["-c", read, file], { encoding: "utf8" }));
    assert.deepEqual(Object.fromEntries(Object.entries(unpacked).filter(([path]) => PATHS.includes(path))), files("first"));
    execFileSync("python3", ["-m", "zipfile", "-e", file, join(folder, "app")]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a version is not restored while a run works, which is said, and is when it has ended", LIMIT, async () => {
  const { page, problems } = await open();
  const ui = workspace(page);
  await page.goto(address);
  await ui.log().waitFor();
  await page.waitForLoadState("networkidle");
  const before = await stored(PATHS[1]);
  await ui.send("Wait for me");
  await until("it works", async () => (await ui.runs().last().getAttribute("data-run-state")) === "running");
  await page.getByRole("button", { name: "Versions", exact: true }).click();
  const first = list(page).locator(":scope > li").filter({ hasText: /Version 1 / });
  const panel = page.getByRole("complementary", { name: "All versions" });
  await first.getByRole("button", { name: "Restore" }).click();
  const refusal = panel.getByRole("alert").filter({ hasText: /run is at work/i });
  await refusal.waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "restore-refused.png") });
  assert.equal(await stored(PATHS[1]), before);
  // The same where it is looked at.
  await first.getByRole("button", { name: "View" }).click();
  await panel.getByRole("button", { name: "Close the versions" }).click();
  const banner = page.getByRole("region", { name: "Viewed version" });
  await banner.getByRole("button", { name: "Restore" }).click();
  await page.getByRole("region", { name: "App", exact: true }).getByRole("alert").filter({ hasText: /run is at work/i }).waitFor();
  await page.getByRole("link", { name: "Back to the newest" }).click();
  await page.getByRole("button", { name: "Versions", exact: true }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await until("it has stopped", async () => (await ui.runs().last().getAttribute("data-run-state")) === "cancelled");
  await first.getByRole("button", { name: "Restore" }).click();
  await until("it is restored", async () => (await stored(PATHS[1])) === text("first", 1));
  await refusal.waitFor({ state: "detached" });
  assert.deepEqual(problems.filter((problem) => !problem.includes("409")), []);
  await page.context().close();
});
