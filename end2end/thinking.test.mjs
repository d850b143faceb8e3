// What a model shows of its reasoning: read along while it grows, folded afterwards and after a reload, and opened by the keyboard.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible } from "./accessible.mjs";
import { say, startModel } from "./model.mjs";
import { startBrowser, startServer } from "./server.mjs";
import { openTab } from "./workspace.mjs";

/** Let the model begin its answer, and end it. */
let begin;
let end;
const begun = new Promise((resolve) => (begin = resolve));
const ended = new Promise((resolve) => (end = resolve));

/** An answer that takes its time after the thought, and after its first words. */
async function* slowly() {
  yield { reasoning_content: "**The list first**, then the form." };
  await begun;
  yield say("It is a shop, ");
  await ended;
  yield say("and a good one.");
}

let model;
let server;
let browser;
let tab;
let ui;
let problems;

before(async () => {
  model = await startModel((prompt) => {
    if (prompt.startsWith("Slowly")) return slowly();
    const answer = say("It is **a shop**.");
    return prompt.startsWith("Think") ? { reasoning_content: "**The list first**, then the form.", ...answer } : answer;
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  ({ tab, problems, ui } = await openTab(browser));
});

after(() => stopAll(browser, server, model));

test("thinking is folded under its name, opens by the keyboard, and is there after a reload", async () => {
  await tab.goto(server.url);
  await ui.mode("Ask").check();
  await tab.getByRole("textbox", { name: "Describe the app you want to build" }).fill("Think: what is it?");
  await tab.getByRole("button", { name: "Start Creating" }).click();
  await tab.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
  await ui.finished(1);
  for (const reloads of [false, true]) {
    if (reloads) await tab.reload();
    const thinking = ui.run(1).getByRole("button", { name: /^Thinking/, expanded: false });
    await thinking.waitFor();
    const thought = ui.run(1).locator("strong").filter({ hasText: "The list first" });
    assert.equal(await thought.count(), 0);
    await thinking.focus();
    await tab.keyboard.press("Enter");
    await thought.waitFor();
  }
  await assertAccessible(tab, "thinking");
});

test("an answer without thinking or steps has nothing to unfold", async () => {
  await ui.mode("Ask").check();
  await ui.send("And now?");
  await ui.finished(2);
  await ui.run(2).getByText("a shop").waitFor();
  assert.equal(await ui.run(2).getByRole("button", { name: /steps|Thinking/ }).count(), 0);
  assert.deepEqual(problems, []);
});

test("thinking is open while it grows, and folds when the answer begins", async () => {
  await ui.send("Slowly: what is it?");
  const thought = ui.run(3).locator("strong").filter({ hasText: "The list first" });
  await thought.waitFor();
  const thinking = ui.run(3).getByRole("button", { name: /^Thinking/ });
  assert.equal(await thinking.getAttribute("aria-expanded"), "true");
  begin();
  await ui.run(3).getByText("It is a shop,").waitFor();
  await thought.waitFor({ state: "detached" });
  assert.equal(await thinking.getAttribute("aria-expanded"), "false");
  // Opened by its reader, it stays open.
  await thinking.click();
  await thought.waitFor();
  end();
  await ui.finished(3);
  await thought.waitFor();
  assert.deepEqual(problems, []);
});
