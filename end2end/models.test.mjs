// The model that a message asks for, and a prompt in better words, as a person uses them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible } from "./accessible.mjs";
import { say, startModel } from "./model.mjs";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { openTab } from "./workspace.mjs";

const better = "Build a blue shop with a cart";

let model;
let server;
let browser;
let tab;
let ui;
let problems;

before(async () => {
  model = await startModel(
    (prompt, turn, request) => say(request.model === "other" ? "The other answers." : "The first answers."),
    () => say(`<prompt>${better}</prompt>`),
  );
  server = await startServer({ ...model.env, AI_FALLBACK: "custom:other" });
  browser = await startBrowser();
  ({ tab, problems, ui } = await openTab(browser));
});

after(() => stopAll(browser, server, model));

const picker = () => tab.getByRole("combobox", { name: "Model" });
const field = (name) => tab.getByRole("textbox", { name });

test("a prompt is improved as a diff, accepted by the keyboard, and undone", async () => {
  await tab.goto(server.url);
  const prompt = field("Describe the app you want to build");
  const improve = tab.getByRole("button", { name: "Improve my prompt" });
  await improve.waitFor();
  assert.ok(await improve.isDisabled(), "there is nothing to improve yet");
  await prompt.fill("Build a shop");
  await improve.click();
  const dialog = tab.getByRole("dialog", { name: "Improve my prompt" });
  await dialog.getByRole("insertion").first().waitFor();
  assert.equal((await dialog.getByRole("insertion").allTextContents()).join("").trim().startsWith("blue"), true);
  await assertAccessible(tab, "a prompt in better words");
  await tab.screenshot({ caret: "initial", path: join(results, "improve.png") });
  await dialog.getByRole("button", { name: "Keep mine" }).click();
  assert.equal(await prompt.inputValue(), "Build a shop");

  await improve.click();
  await dialog.getByRole("button", { name: "Use this" }).focus();
  await tab.keyboard.press("Enter");
  await until("the better words are in the field", async () => (await prompt.inputValue()) === better);
  await tab.getByRole("button", { name: "Undo" }).click();
  await until("the words are back", async () => (await prompt.inputValue()) === "Build a shop");
});

test("a message asks for a model, and its project keeps it after a reload", async () => {
  await tab.goto(server.url);
  const offered = await picker().getByRole("option").allTextContents();
  assert.equal(offered.length, 2);
  assert.match(offered[1], /^custom · other/);
  await picker().selectOption("custom/other");
  await tab.getByRole("radio", { name: "Ask", exact: true }).check({ force: true });
  await field("Describe the app you want to build").fill("Who are you?");
  for (const width of [320, 768, 1280]) {
    await tab.setViewportSize({ width, height: 800 });
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, `nothing is wider than the window at ${width} px`);
    await tab.screenshot({ caret: "initial", path: join(results, `models-home-${width}.png`) });
  }
  await tab.getByRole("button", { name: "Start Creating" }).click();
  await tab.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
  await ui.finished(1);
  await tab.getByText("The other answers.").waitFor();
  await tab.reload();
  await picker().waitFor();
  assert.equal(await picker().inputValue(), "custom/other");
  await tab.screenshot({ caret: "initial", path: join(results, "models-workspace.png") });

  await picker().selectOption("auto");
  await tab.getByRole("radio", { name: "Ask", exact: true }).check({ force: true });
  await field("Message").fill("And you?");
  await tab.getByRole("button", { name: "Send" }).click();
  await ui.finished(2);
  await tab.getByText("The first answers.").waitFor();
  assert.deepEqual(problems, []);
});
