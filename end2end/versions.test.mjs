// Versions as a person finds them, on a phone, a laptop and a wide screen: the list, one that is looked at, restoring, the ZIP file, and the
// project's title; and a second tab that stays the same.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { PATIENCE, prepared, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const page = (words) => `export default function Home() { return <h1>${words}</h1>; }\n`;

let model;
let server;
let browser;
let tab;
let second;
let ui;
let problems;
let address;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (turn > 0) return done;
    return write({ "app/page.tsx": page(prompt.startsWith("Change") ? "Second words" : "First words") });
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  const context = await browser.newContext({ viewport: { width: 1024, height: 768 }, acceptDownloads: true });
  tab = await context.newPage();
  tab.setDefaultTimeout(PATIENCE);
  problems = watchConsole(tab, { previews: false });
  ui = workspace(tab);
  await ui.start(server.url, "Build a page with words");
  await ui.finished(1);
  await ui.send("Change the words");
  await ui.finished(2);
  address = tab.url();
  second = await context.newPage();
  second.setDefaultTimeout(PATIENCE);
  await second.goto(address);
});

after(() => stopAll(browser, server, model));

/** Does what the README says: the lock file fits, and the app runs with what it names, which the template has installed already. */
async function runUnpacked(folder, words) {
  const version = readFileSync(join(prepared, "templates/nextjs/current"), "utf8").trim();
  execFileSync("npm", ["ci", "--dry-run", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  const installed = join(prepared, "templates/nextjs", version, "home/node_modules");
  execFileSync("cp", ["-a", "--reflink=auto", installed, join(folder, "node_modules")]);
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), NEXT_TELEMETRY_DISABLED: "1" };
  const dev = spawn("npm", ["run", "dev"], { cwd: folder, env, stdio: "ignore", detached: true });
  try {
    await until(
      "the unpacked app shows its page",
      async () => {
        if (dev.exitCode !== null) throw new Error(`npm run dev ended with ${dev.exitCode}`);
        const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
        return (await answer?.text())?.includes(words);
      },
      120_000,
    );
  } finally {
    process.kill(-dev.pid, "SIGKILL");
    await until("it has ended", () => dev.exitCode !== null || dev.signalCode !== null);
  }
}

/** A port that nothing listens on. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

const list = (of = tab) => of.getByRole("list", { name: "Versions" });
const items = (of = tab) => list(of).locator(":scope > li");

for (const width of [1024, 390, 1920]) {
  test(`at ${width} px the versions are listed with their makers and times, and what each changed`, async () => {
    await tab.setViewportSize({ width, height: 800 });
    await tab.getByRole("button", { name: "Versions", exact: true }).click();
    await items().first().waitFor();
    assert.match(await items().first().innerText(), /Current[\s\S]*Version \d+ · .* · .*\d{2}:\d{2}.*/);
    // Each with a picture of the app, which the check took.
    await until("the pictures are there", () => items().locator("img").evaluateAll((all) => all.length === 2 && all.every((one) => one.naturalWidth > 0)));
    await items().first().getByRole("button", { name: /changed$/ }).click();
    await items().first().getByRole("button", { name: /page\.tsx/ }).click();
    await items().first().getByText("Second words").waitFor();
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, "nothing is wider than the window");
    await tab.keyboard.press("Escape");
    await until("the list is closed", async () => (await list().count()) === 0);
    assert.equal(await tab.evaluate(() => document.activeElement.getAttribute("aria-label")), "Versions");
  });
}

test("a version is looked at with its own preview and code, and the app stays as it is", async () => {
  await tab.setViewportSize({ width: 1024, height: 768 });
  await tab.getByRole("button", { name: "Versions", exact: true }).click();
  await items().last().getByRole("button", { name: "View" }).click();
  await tab.getByText("You are viewing version 1").waitFor();
  assert.match(tab.url(), /\?version=1$/);
  await tab.keyboard.press("Escape");
  const frame = tab.frameLocator('iframe[title="Preview of the version"]');
  await frame.getByRole("heading", { name: "First words" }).waitFor({ timeout: 120_000 });
  await second.frameLocator('iframe[title="Preview"]').getByRole("heading", { name: "Second words" }).waitFor();
  // The address names the file that is read, which a reload shows again.
  const version = tab.getByRole("tablist", { name: "The version" });
  await version.getByRole("tab", { name: "Code" }).click();
  await tab.getByRole("tree", { name: "Files" }).getByRole("treeitem", { name: "page.tsx" }).click();
  await until("the address names the file", () => new URL(tab.url()).search === "?version=1&file=app%2Fpage.tsx");
  await tab.reload();
  await version.getByRole("tab", { name: "Code", selected: true }).waitFor();
  await tab.getByLabel("The text of app/page.tsx").filter({ hasText: "First words" }).waitFor();
  await tab.getByRole("link", { name: "Back to the newest" }).click();
  await ui.preview().getByRole("heading", { name: "Second words" }).waitFor();
});

test("the list covers nothing of the version that is viewed beside it", async () => {
  const banner = tab.getByRole("region", { name: "Viewed version" });
  for (const width of [768, 1024, 1280, 1440, 1920, 390]) {
    await tab.setViewportSize({ width, height: 800 });
    await tab.goto(address);
    await tab.getByRole("button", { name: "Versions", exact: true }).click();
    await items().last().getByRole("button", { name: "View" }).click();
    await tab.getByText("You are viewing version 1").waitFor();
    assert.equal(await list().count(), width < 768 ? 0 : 1, `the list at ${width} px`);
    // Playwright presses only what nothing is over.
    await banner.getByRole("button", { name: "Restore" }).click({ trial: true });
    await banner.getByRole("link", { name: "Back to the newest" }).click({ trial: true });
    for (const name of ["Preview", "Code"]) await tab.getByRole("tablist", { name: "The version" }).getByRole("tab", { name }).click({ trial: true });
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, `nothing is wider than the window at ${width} px`);
    await tab.screenshot({ caret: "initial", path: join(results, `version-beside-list-${width}.png`) });
  }
  await tab.setViewportSize({ width: 1024, height: 768 });
  await tab.goto(address);
  await ui.preview().getByRole("heading", { name: "Second words" }).waitFor();
});

test("any two versions are compared beside each other or as one text, under an address of their own", { timeout: 300_000 }, async () => {
  await tab.getByRole("button", { name: "Versions", exact: true }).click();
  await items().first().waitFor();
  await tab.getByRole("combobox", { name: "Compare" }).selectOption({ label: "Version 1" });
  await tab.getByRole("combobox", { name: "With" }).selectOption({ label: "Version 2" });
  await tab.getByRole("button", { name: "Compare versions" }).click();
  await tab.getByText("Version 1 compared with version 2").waitFor();
  assert.match(tab.url(), /\?version=1\.\.2$/);
  await tab.keyboard.press("Escape");
  const file = tab.getByRole("region", { name: "Compared file" });
  const [before, after] = [file.getByRole("textbox", { name: "Version 1" }), file.getByRole("textbox", { name: "Version 2" })];
  for (const width of [1024, 390, 1920]) {
    await tab.setViewportSize({ width, height: 800 });
    await tab.goto(`${address}?version=1..2`);
    await tab.getByRole("list", { name: "Changed files" }).getByRole("button", { name: /page\.tsx/ }).click();
    if (width > 900) {
      await before.getByText("First words").waitFor();
      await after.getByText("Second words").waitFor();
    }
    await tab.getByRole("button", { name: "Unified" }).click();
    await until("one text has both", async () => /First words[\s\S]*Second words/.test(await file.locator(".cm-editor").innerText().catch(() => "")));
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, "nothing is wider than the window");
    for (const theme of ["light", "dark"]) {
      await preferTheme(tab, theme);
      await assertAccessible(tab, `two versions compared at ${width} px, ${theme}`, 'section[aria-label="App"]');
      await tab.screenshot({ caret: "initial", path: join(results, `versions-compared-${width}-${theme}.png`) });
    }
  }
  await tab.setViewportSize({ width: 1024, height: 768 });
  await tab.getByRole("link", { name: "Back to the newest" }).click();
  await ui.preview().getByRole("heading", { name: "Second words" }).waitFor();
});

test("a restored version is shown in both tabs, and nothing newer is lost", async () => {
  await tab.getByRole("button", { name: "Versions", exact: true }).click();
  await items().last().getByRole("button", { name: "Restore" }).click();
  await until("it is listed", async () => (await items().count()) === 3);
  assert.match(await items().first().innerText(), /Version 3 · restored from version 1/);
  for (const of of [tab, second]) {
    await of.frameLocator('iframe[title="Preview"]').getByRole("heading", { name: "First words" }).waitFor();
    await until("the bar says which version it is", async () => /v3/.test(await of.getByRole("button", { name: "Versions", exact: true }).innerText()));
  }
  await tab.keyboard.press("Escape");
});

test("the project is renamed by the keyboard alone, a blank title is refused, and the other tab follows", async () => {
  await tab.getByRole("button", { name: "Rename project" }).focus();
  await tab.keyboard.press("Enter");
  const field = tab.getByRole("textbox", { name: "Project title" });
  await field.fill("  ");
  await field.press("Enter");
  await tab.getByRole("alert").getByText("A project needs a title").waitFor();
  await field.press("Escape");
  await field.waitFor({ state: "hidden" });
  await tab.getByRole("button", { name: "Rename project" }).click();
  await field.fill("Words & co. 🚀");
  await field.press("Enter");
  for (const of of [tab, second]) await of.getByRole("heading", { level: 1, name: "Words & co. 🚀" }).waitFor();
});

test("the ZIP file has the app and what runs it, under the project's name, and runs", { timeout: 480_000 }, async () => {
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("button", { name: "Download ZIP" }).click()]);
  assert.equal(download.suggestedFilename(), "Words-&-co.-🚀.zip");
  const folder = mkdtempSync(join(tmpdir(), "codeflow-zip-"));
  try {
    const file = join(folder, "app.zip");
    await download.saveAs(file);
    execFileSync("python3", ["-m", "zipfile", "-e", file, folder]);
    assert.match(readFileSync(join(folder, "app/page.tsx"), "utf8"), /First words/);
    assert.match(readFileSync(join(folder, "README.md"), "utf8"), /npm ci\nnpm run dev/);
    await runUnpacked(folder, "First words");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a version that is gone is a sentence, and the page reported nothing meanwhile", async () => {
  assert.deepEqual(problems, []);
  await tab.goto(`${address}?version=99`);
  await tab.getByText("There is no such version of this project.").waitFor();
  await tab.getByRole("link", { name: "Back to the newest" }).click();
  await ui.preview().getByRole("heading", { name: "First words" }).waitFor();
});
