// A library of one's own prompts, by the keyboard and by the mouse, on the home page and in a project's chat.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible } from "./accessible.mjs";
import { say, startModel } from "./model.mjs";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { openTab } from "./workspace.mjs";

let model;
let server;
let browser;
let tab;
let ui;
let problems;

before(async () => {
  model = await startModel(() => say("An answer."));
  server = await startServer(model.env);
  browser = await startBrowser();
  ({ tab, problems, ui } = await openTab(browser));
});

after(() => stopAll(browser, server, model));

const field = (name) => tab.getByRole("textbox", { name, exact: true });
const dialog = () => tab.getByRole("dialog", { name: "Saved prompts" });
const items = () => dialog().getByRole("list", { name: "Saved prompts" }).getByRole("listitem");
const open = () => tab.getByRole("button", { name: "Saved prompts" }).click();
const has = (count) => until(`${count} are listed`, async () => (await items().count()) === count);

async function save(text, name) {
  await field("Describe the app you want to build").fill(text);
  await open();
  await dialog().getByRole("button", { name: "Save prompt" }).click();
  await field("Name").fill(name);
  await tab.keyboard.press("Enter");
  await dialog().getByText("was saved.").waitFor();
}

test("prompts are saved, found and inserted by the keyboard, edited, and deleted with an undo", async () => {
  await tab.goto(server.url);
  const prompt = field("Describe the app you want to build");
  await open();
  await dialog().getByText("No saved prompts yet").waitFor();
  await assertAccessible(tab, "no saved prompts");
  assert.ok(await dialog().getByRole("button", { name: "Save prompt" }).isDisabled(), "there is nothing to save yet");
  await tab.keyboard.press("Escape");
  await dialog().waitFor({ state: "hidden" });

  await save("Build a shop with a cart", "");
  await dialog().getByText("“Build a shop with a cart” was saved.").waitFor();
  await tab.keyboard.press("Escape");
  await save("Use a calm blue and large type", "My look");
  await has(2);
  await assertAccessible(tab, "saved prompts");
  await tab.screenshot({ caret: "initial", path: join(results, "saved-prompts.png") });
  await tab.keyboard.press("Escape");

  await prompt.fill("Build a blog");
  await tab.keyboard.press("ControlOrMeta+k");
  await tab.getByRole("combobox", { name: "Search commands" }).fill("saved prompts");
  await tab.keyboard.press("Enter");
  await dialog().getByRole("searchbox").fill("BLUE");
  await has(1);
  await tab.keyboard.press("Enter");
  await until("it is below the text", async () => (await prompt.inputValue()) === "Build a blog\n\nUse a calm blue and large type");
  assert.equal(new URL(tab.url()).pathname, "/", "nothing was sent");

  await prompt.fill("");
  await open();
  await has(2);
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("Enter");
  await until("the second one is in the field", async () => (await prompt.inputValue()) === "Build a shop with a cart");

  await open();
  await dialog().getByRole("button", { name: "More for My look" }).click();
  await tab.getByRole("menuitem", { name: "Edit" }).click();
  await field("Name").fill("Calm");
  await field("Prompt").fill("Use a calm green");
  await assertAccessible(tab, "a saved prompt in its form");
  await dialog().getByRole("button", { name: "Save", exact: true }).click();
  await items().first().getByText("Use a calm green").waitFor();
  await dialog().getByRole("button", { name: "More for Calm" }).click();
  await tab.getByRole("menuitem", { name: "Delete" }).click();
  await dialog().getByText("“Calm” was deleted.").waitFor();
  await has(1);
  await dialog().getByRole("button", { name: "Undo" }).click();
  await has(2);
  await tab.keyboard.press("Escape");
});

test("the library is the same in a project's chat, and after a reload", async () => {
  await tab.goto(server.url);
  await tab.getByRole("radio", { name: "Ask", exact: true }).check({ force: true });
  await field("Describe the app you want to build").fill("Who are you?");
  await tab.getByRole("button", { name: "Start Creating" }).click();
  await ui.finished(1);
  await open();
  await dialog().getByRole("searchbox").fill("shop");
  await has(1);
  await tab.keyboard.press("Enter");
  await until("it is in the field", async () => (await field("Message").inputValue()) === "Build a shop with a cart");
  assert.deepEqual(problems, []);
});
