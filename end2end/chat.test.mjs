// The conversation as a person uses it, on a phone, a laptop and a wide screen: what a run did, opened; messages edited, tried again, copied,
// queued and removed; a log that stays where its reader is; and a long past that costs nothing.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { call, done, run, say, startModel, write } from "./model.mjs";
import { PATIENCE, data, get, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const page = (words) => `export default function Home() {\n  return <h1>${words}</h1>;\n}\n`;
const WORDS = [
  "I will **write** the page, as on [the site](https://example.test/a).",
  "```tsx\nconst answer: number = 42;\n```",
  "אני כותב את הדף.",
  "![tracker](https://example.test/pixel.png) <img src=x onerror=alert(1)>",
].join("\n\n");

let model;
let server;
let browser;
let context;
let tab;
let ui;
let problems;
let address;
/** Holds the model's answers while it is set. */
let held = null;
let failing = false;

/** Makes the model wait from now on; what this returns lets it go on. */
function hold() {
  let release;
  const waiting = new Promise((done) => (release = done));
  held = waiting;
  return () => {
    held = null;
    release();
  };
}

before(async () => {
  model = await startModel(async (prompt, turn) => {
    await held;
    if (failing) return { status: 400, message: "The scripted model refuses this." };
    if (prompt.startsWith("Long")) return turn > 0 ? done : { ...say("A line of words that goes on and on.\n\n".repeat(80)), ...write({ "app/page.tsx": page("Long") }) };
    const words = prompt.startsWith("Change") ? "Second words" : prompt.startsWith("Instead") ? "Other words" : "First words";
    if (turn === 0) return { ...say(WORDS), ...write({ "app/page.tsx": page(words) }) };
    if (turn === 1) return run("echo one\necho two");
    if (turn === 2) return call("editFile", { path: "app/page.tsx", old: words, new: `${words}!` });
    return done;
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  context = await browser.newContext({ viewport: { width: 1024, height: 768 }, permissions: ["clipboard-read", "clipboard-write"] });
  tab = await context.newPage();
  tab.setDefaultTimeout(PATIENCE);
  problems = watchConsole(tab, { previews: false });
  ui = workspace(tab);
  await ui.start(server.url, "Build a page");
  await ui.finished(1);
  address = tab.url();
});

after(() => stopAll(browser, server, model));

const message = (text, of = tab) => of.getByRole("log").locator(".message").filter({ hasText: text }).first();
const prompts = (of = tab) => of.locator("div.message > [dir=auto]").allTextContents();
const field = () => tab.getByRole("textbox", { name: "Message" });
const distance = () => tab.locator("[data-log]").evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
const copied = () => tab.evaluate(() => navigator.clipboard.readText());

for (const width of [1024, 390, 1920]) {
  test(`at ${width} px a run's calls are one line, which opens to commands with their output and files with their lines`, async () => {
    await tab.setViewportSize({ width, height: 800 });
    const line = ui.run(1).getByRole("button", { name: /3 steps/ });
    assert.match(await line.innerText(), /Wrote files, ran 1 command, changed files/);
    assert.equal(await ui.run(1).getByText("echo one").count(), 0, "it is closed at first");
    await line.click();
    await ui.run(1).getByRole("button", { name: /Ran.*echo one/ }).click();
    await ui.run(1).getByLabel("Command").filter({ hasText: "echo two" }).waitFor();
    await ui.run(1).getByLabel("Output").filter({ hasText: "two" }).waitFor();
    await ui.run(1).getByRole("button", { name: /Changed.*app\/page\.tsx/ }).click();
    const diff = ui.run(1).getByLabel("Changes of app/page.tsx").last();
    await diff.locator(".diff-added", { hasText: "First words!" }).waitFor();
    await diff.locator(".diff-removed", { hasText: "First words<" }).waitFor();
    for (const theme of ["light", "dark"]) {
      await preferTheme(tab, theme);
      await assertAccessible(tab, `the conversation at ${width} px, ${theme}`);
      await tab.screenshot({ caret: "initial", path: join(results, `chat-${width}-${theme}.png`) });
    }
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, "nothing is wider than the window");
    await line.click();
  });
}

test("an answer has colours and a button to copy its code, safe links, no images, and its direction", async () => {
  await tab.setViewportSize({ width: 1024, height: 768 });
  const block = ui.run(1).locator(".code-block").first();
  assert.ok((await block.locator("[class*=hl-]").count()) > 0, "code is highlighted");
  await block.hover();
  await block.getByRole("button", { name: "Copy" }).click();
  await until("the code is copied", async () => (await copied()) === "const answer: number = 42;\n");
  const link = ui.run(1).getByRole("link", { name: "the site" });
  assert.equal(await link.getAttribute("target"), "_blank");
  assert.match(await link.getAttribute("rel"), /noopener/);
  assert.equal(await ui.log().locator("img").count(), 0);
  const hebrew = ui.run(1).locator("p", { hasText: "אני" });
  assert.equal(await hebrew.evaluate((p) => getComputedStyle(p).unicodeBidi), "plaintext");
  await message("Build a page").getByRole("button", { name: "Copy" }).click();
  await until("the message is copied", async () => (await copied()) === "Build a page");
  await ui.run(1).getByRole("button", { name: "Copy", exact: true }).last().click();
  await until("the answer is copied", async () => /Built what you asked for/.test(await copied()));
  assert.match(await ui.run(1).innerText(), /\d+ tokens/);
});

test("messages that wait are seen, changed where they stand, and removed", async () => {
  const release = hold();
  await ui.send("Change the words");
  await ui.send("A message too many");
  await ui.send("Then this");
  await until("three runs follow", async () => (await ui.runs().count()) === 4);
  assert.equal(await ui.run(4).getAttribute("data-run-state"), "queued");
  await message("A message too many").getByRole("button", { name: "Remove" }).click();
  await until("it is gone", async () => (await ui.runs().count()) === 3);
  await field().fill("A draft to keep");
  await message("Then this").getByRole("button", { name: "Edit" }).click();
  await tab.getByText("Sending changes the message in the queue.").waitFor();
  assert.equal(await field().inputValue(), "Then this");
  await field().press("Escape");
  assert.equal(await field().inputValue(), "A draft to keep", "what was typed comes back");
  await message("Then this").getByRole("button", { name: "Edit" }).click();
  await field().fill("Then that");
  await field().press("Enter");
  await message("Then that").waitFor();
  assert.equal(await message("Then this").count(), 0);
  await until("the draft is back", async () => (await field().inputValue()) === "A draft to keep");
  await field().fill("");
  release();
  await ui.finished(3);
  assert.deepEqual(await prompts(), ["Build a page", "Change the words", "Then that"]);
});

test("what was typed survives a reload, not what an edit put into the field, and is forgotten when it is sent", async () => {
  const reloaded = async (text) => {
    await tab.reload();
    await message("Then that").waitFor();
    await tab.waitForLoadState("networkidle");
    await until(`the field has "${text}"`, async () => (await field().inputValue()) === text);
  };
  await field().fill("A draft to keep");
  await reloaded("A draft to keep");
  // It is this project's alone.
  const other = await context.newPage();
  other.setDefaultTimeout(PATIENCE);
  await other.goto(server.url);
  await other.getByRole("textbox", { name: "Describe the app you want to build" }).waitFor();
  assert.equal(await other.getByRole("textbox", { name: "Describe the app you want to build" }).inputValue(), "");
  await other.close();
  await message("Then that").getByRole("button", { name: "Edit" }).click();
  await until("the message is in the field", async () => (await field().inputValue()) === "Then that");
  await field().fill("Half an edit");
  await reloaded("A draft to keep");
  await field().fill("Change from a draft");
  await field().press("Enter");
  await until("it is sent", async () => (await field().inputValue()) === "");
  await ui.finished(4);
  await reloaded("");
  // As it was for what follows.
  await message("Change from a draft").getByRole("button", { name: "Edit" }).waitFor();
});

test("an edited message is sent again from there, refused while a run works, and a second tab follows", async () => {
  const second = await context.newPage();
  await second.goto(address);
  await message("Then that", second).waitFor();
  const release = hold();
  await ui.send("Wait for me");
  await until("it works", async () => (await ui.runs().last().getAttribute("data-run-state")) === "running");
  await message("Change the words").getByRole("button", { name: "Edit" }).click();
  await tab.getByText("the messages after it go").waitFor();
  await field().fill("Instead of that");
  await tab.getByRole("button", { name: "Send" }).click();
  await tab.getByRole("alert").filter({ hasText: "A run is at work on this project" }).waitFor();
  assert.equal(await field().inputValue(), "Instead of that", "nothing typed is lost");
  await tab.screenshot({ caret: "initial", path: join(results, "chat-editing.png") });
  await tab.getByRole("button", { name: "End it and go on" }).click();
  await until("what came after is gone", async () => (await prompts()).join() === "Build a page,Instead of that");
  release();
  await ui.finished(2);
  await ui.preview().getByRole("heading", { name: "Other words!" }).waitFor();
  await until("the other tab is the same", async () => (await prompts(second)).join() === "Build a page,Instead of that");
  await second.reload();
  assert.deepEqual(await prompts(second), ["Build a page", "Instead of that"]);
  await second.close();
  await tab.getByRole("button", { name: "Versions", exact: true }).click();
  const listed = tab.getByRole("list", { name: "Versions" });
  await listed.getByText("restored from version 1").waitFor();
  await tab.keyboard.press("Escape");
});

test("an error says what to do, and Try again does it", async () => {
  failing = true;
  await ui.send("Please fail");
  await until("it failed", async () => (await ui.runs().last().getAttribute("data-run-state")) === "failed");
  await ui.runs().last().getByText("The scripted model refuses this").waitFor();
  failing = false;
  await ui.runs().last().getByRole("button", { name: "Try again" }).click();
  await ui.finished(4);
  assert.equal(await tab.getByRole("button", { name: "Try again" }).count(), 0);
  await message("Please fail").getByRole("button", { name: "Retry" }).click();
  await until("it begins from before it", async () => (await ui.runs().count()) === 3);
  await ui.finished(3);
});

test("the log stays at its end until its reader scrolls up, and then where the reader is", async () => {
  await ui.send("Long words");
  await ui.finished(4);
  await until("the end is shown", async () => (await distance()) < 64);
  const log = tab.locator("[data-log]");
  await log.hover();
  await tab.mouse.wheel(0, -1200);
  const end = tab.getByRole("button", { name: "New messages" });
  await end.waitFor();
  const top = () => log.evaluate((log) => log.scrollTop);
  const place = await top();
  await ui.send("Change again");
  await end.getByText("New messages").waitFor();
  await ui.finished(5);
  assert.equal(await top(), place, "nothing moved");
  await end.click();
  await until("the end is shown", async () => (await distance()) < 64);
  assert.equal(await end.isVisible(), false);
  // What somebody opens stays where it is.
  const line = ui.run(5).getByRole("button", { name: /3 steps/ });
  await line.scrollIntoViewIfNeeded();
  const before = (await line.boundingBox()).y;
  await line.click();
  await ui.run(5).getByRole("button", { name: /echo one/ }).waitFor();
  assert.ok(Math.abs((await line.boundingBox()).y - before) < 2);
});

test("what the workspace can do is found among the commands, by keys and by touch", async () => {
  const commands = tab.getByRole("combobox", { name: "Search commands" });
  const choose = async (name) => {
    await tab.keyboard.press("Control+k");
    await commands.fill(name);
    await tab.getByRole("option", { name: `${name} This page` }).waitFor();
    await commands.press("Enter");
    await commands.waitFor({ state: "detached" });
  };
  const focused = () => tab.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id);
  await choose("Code");
  await tab.getByRole("tab", { name: "Code", selected: true }).waitFor();
  await until("its tab has the focus", async () => (await focused()) === "code");
  await choose("Preview");
  await tab.getByRole("tab", { name: "Preview", selected: true }).waitFor();
  await choose("New message");
  await until("the field has the focus", async () => (await focused()) === "message");
  await choose("Rename project");
  await until("the title has the focus", async () => (await focused()) === "Project title");
  await tab.keyboard.press("Escape");
  await choose("Share");
  await tab.getByRole("dialog", { name: "Share" }).waitFor();
  await tab.keyboard.press("Escape");
  const [download] = await Promise.all([tab.waitForEvent("download"), choose("Download ZIP")]);
  assert.match(download.suggestedFilename(), /\.zip$/);
  // What works is stopped, which nothing else is.
  await tab.keyboard.press("Control+k");
  await commands.fill("Stop");
  assert.equal(await tab.getByRole("option", { name: "Stop This page" }).count(), 0);
  await tab.keyboard.press("Escape");
  const release = hold();
  await ui.send("Change until stopped");
  await until("it works", async () => (await ui.runs().last().getAttribute("data-run-state")) === "running");
  await choose("Stop");
  await until("it is stopped", async () => (await ui.runs().last().getAttribute("data-run-state")) === "cancelled");
  release();
  // The whole list by the arrow keys: what they are at can be seen.
  await tab.keyboard.press("Control+k");
  await tab.getByRole("option").first().waitFor();
  await commands.press("End");
  const [option, list] = [tab.getByRole("option").last(), tab.getByRole("listbox", { name: "Commands" })];
  await until("the last one is in sight", async () => {
    const [one, all] = [await option.boundingBox(), await list.boundingBox()];
    return one.y + one.height <= all.y + all.height + 1;
  });
  await tab.keyboard.press("Escape");
  for (const width of [320, 390, 1024]) {
    await tab.setViewportSize({ width, height: 800 });
    const overflow = await tab.locator("header").evaluate((header) => header.scrollWidth - header.clientWidth);
    assert.equal(overflow, 0, `the bar is not wider than ${width} px`);
    if (width < 640) {
      await tab.getByRole("button", { name: "Commands" }).click();
      await commands.fill("Keyboard");
      await tab.getByRole("option", { name: "Keyboard shortcuts" }).click();
    } else {
      await tab.getByRole("button", { name: "Keyboard shortcuts" }).click();
    }
    await tab.getByRole("dialog", { name: "Keyboard shortcuts" }).getByText("Everywhere").waitFor();
    await tab.keyboard.press("Escape");
  }
});

test("a long past comes in parts, and what the reader sees stays", async () => {
  const project = address.split("/").pop();
  execFileSync("python3", [join(import.meta.dirname, "long.py"), join(data, "codeflow.sqlite"), project, "150"]);
  await tab.reload();
  await message("Change again").waitFor();
  const whole = await get(server, "/api/projects/workspace", { project });
  assert.ok(whole.messages.length > 300, "scripts still get all of it");
  assert.ok((await ui.runs().count()) < 30, "the page has the last ones");
  const more = tab.getByRole("button", { name: /Show earlier messages/ });
  const first = tab.getByRole("log").locator(".message").first();
  await until("the page is alive", async () => {
    await more.scrollIntoViewIfNeeded();
    await more.click({ timeout: 1000 }).catch(() => null);
    return (await ui.runs().count()) > 30;
  });
  await message("Old message 120").waitFor();
  await first.waitFor();
  await until("all is there", async () => {
    if ((await more.count()) === 0) return true;
    await more.click({ timeout: 1000 }).catch(() => null);
    return false;
  }, 2 * PATIENCE);
  await message("Old message 1").waitFor();
  await ui.run(1).getByRole("button", { name: "Show steps" }).click();
  await ui.run(1).getByRole("button", { name: /Ran 40 commands/ }).waitFor();
  assert.deepEqual(problems.filter((problem) => !problem.includes("409") && !problem.includes("400")), []);
});
