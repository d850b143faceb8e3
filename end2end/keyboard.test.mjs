// The main job by the keyboard alone, on a laptop and in its core on a phone: an app is asked for, its code edited, its versions looked at,
// compared and restored, messages changed and run again, the app shared and downloaded, and the panes set up. No mouse, no touch, and the
// focus goes nowhere but where Tab takes it.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { PATIENCE, startBrowser, startServer, until } from "./server.mjs";
import { openTab, tabTo, watchConsole, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 480_000 };
const page = (words) => `export default function Page() {\n  return <h1>${words}</h1>;\n}\n`;

let model;
let server;
let browser;
let tab;
let ui;
let problems;
let address;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (turn > 0) return done;
    const words = prompt.startsWith("Change") ? "Second words" : prompt.startsWith("Instead") ? "Other words" : "First words";
    return write({ "app/page.tsx": page(words), "notes.md": "# Notes\n" });
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  ({ tab, problems, ui } = await openTab(browser));
  await tab.setViewportSize({ width: 1024, height: 768 });
});

after(() => stopAll(browser, server, model));

const button = (name, of = tab) => of.getByRole("button", { name, exact: true });
const press = async (target, key = "Enter") => {
  await tabTo(target);
  await target.page().keyboard.press(key);
};
const heading = (words, of = tab) => of.frameLocator('iframe[title="Preview"]').getByRole("heading", { name: words, exact: true }).waitFor();
const message = (text) => ui.log().locator(".message").filter({ hasText: text });
const items = (of = tab) => of.getByRole("list", { name: "Versions" }).locator(":scope > li");

/** Writes a message, and sends it by Enter. */
async function say(text, of = tab) {
  await tabTo(of.getByRole("textbox", { name: "Message" }));
  await of.keyboard.type(text);
  await of.keyboard.press("Enter");
}

/** Goes to another tab of the app's, to the right or to the left of the shown one. */
async function goTo(name, key, of = tab) {
  await tabTo(of.getByRole("tablist", { name: "The app" }).getByRole("tab", { selected: true }));
  await of.keyboard.press(key);
  assert.equal(await of.getByRole("tab", { name, exact: true }).getAttribute("aria-selected"), "true");
}

/** Goes to a file in the tree by its first letter, and opens it. */
async function openFile(name, of = tab) {
  const tree = of.getByRole("tree", { name: "Files" });
  await tabTo(tree);
  await of.keyboard.press("Home");
  const line = () =>
    tree.evaluate((tree) => document.getElementById(tree.getAttribute("aria-activedescendant"))?.textContent.replace("edited", "").trim());
  await until(`the line is ${name}`, async () => {
    if ((await line()) === name) return true;
    await of.keyboard.press(name[0]);
    return (await line()) === name;
  });
  await of.keyboard.press("Enter");
}

/** Puts another text into the shown file, saves it, and leaves the editor. */
async function rewrite(text, of = tab) {
  const editor = of.getByRole("textbox", { name: "Editor" });
  await tabTo(editor);
  await of.keyboard.press("ControlOrMeta+A");
  await of.keyboard.insertText(text);
  await of.keyboard.press("ControlOrMeta+s");
  const status = of.getByRole("region", { name: "File", exact: true }).getByRole("status");
  await until("it is saved", async () => (await status.innerText()) === "Saved");
  await of.keyboard.press("Tab");
  assert.ok(await editor.evaluate((element) => element === document.activeElement), "Tab indents");
  await of.keyboard.press("ControlOrMeta+z");
  await of.keyboard.press("Escape");
  await of.keyboard.press("Tab");
  assert.ok(await editor.evaluate((element) => element !== document.activeElement), "Escape, then Tab, leads on");
  await until("it is saved", async () => (await status.innerText()) === "Saved");
}

test("an app is asked for, its files are walked through, and one is edited", LIMIT, async () => {
  await tab.goto(server.url);
  await tab.waitForLoadState("networkidle");
  await tabTo(tab.getByRole("textbox", { name: "Describe the app you want to build" }));
  await tab.keyboard.type("Build a page");
  await tab.keyboard.press("Enter");
  await tab.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
  address = tab.url();
  await ui.finished(1);
  await heading("First words");
  await goTo("Code", "ArrowRight");
  const editor = tab.getByRole("textbox", { name: "Editor" });
  await editor.waitFor();
  await openFile("notes.md");
  await editor.getByText("# Notes").waitFor();
  await openFile("page.tsx");
  await editor.getByText("First words").waitFor();
  await rewrite(page("By keyboard"));
  await goTo("Preview", "ArrowLeft");
  await heading("By keyboard");
});

test("a version is looked at, two are compared, and one is restored", LIMIT, async () => {
  await say("Change the words");
  await ui.finished(2);
  await heading("Second words");
  await press(button("Versions"));
  await items().first().waitFor();
  const before = await items().count();
  await press(items().last().getByRole("button", { name: "View" }));
  await tab.getByText("You are viewing version 1").waitFor();
  await tab.keyboard.press("Escape");
  await until("the list is closed", async () => (await items().count()) === 0);
  await press(tab.getByRole("link", { name: "Back to the newest" }));
  await heading("Second words");

  await press(button("Versions"));
  await press(tab.getByRole("combobox", { name: "Compare" }), "End");
  await press(button("Compare versions"));
  await tab.getByText(/Version 1 compared with version \d/).waitFor();
  await tab.keyboard.press("Escape");
  await press(tab.getByRole("list", { name: "Changed files" }).getByRole("button", { name: /page\.tsx/ }));
  const file = tab.getByRole("region", { name: "Compared file" });
  await press(button("Unified"));
  await until("one text has both", async () => /First words[\s\S]*Second words/.test(await file.locator(".cm-editor").innerText().catch(() => "")));
  await press(tab.getByRole("link", { name: "Back to the newest" }));

  await press(button("Versions"));
  await press(items().last().getByRole("button", { name: "Restore" }));
  await until("it is listed", async () => (await items().count()) === before + 1);
  assert.match(await items().first().innerText(), /restored from version 1/);
  await tab.keyboard.press("Escape");
  await until("the button has the focus again", () => button("Versions").evaluate((element) => element === document.activeElement));
  await heading("First words");
});

test("a message is changed and sent again, and then run again", LIMIT, async () => {
  await press(message("Change the words").getByRole("button", { name: "Edit" }));
  const field = tab.getByRole("textbox", { name: "Message" });
  await until("the field has the message and the focus", async () => {
    const hasFocus = await field.evaluate((element) => element === document.activeElement);
    return hasFocus && (await field.inputValue()) === "Change the words";
  });
  await tab.keyboard.press("ControlOrMeta+A");
  await tab.keyboard.type("Instead of that");
  await tab.keyboard.press("Enter");
  await message("Instead of that").waitFor();
  await ui.finished(2);
  await heading("Other words");
  await ui.run(2).evaluate((element) => (element.dataset.seen = "yes"));
  await press(message("Instead of that").getByRole("button", { name: "Retry" }));
  await until("another run is there", async () => (await ui.runs().count()) === 2 && !(await ui.run(2).getAttribute("data-seen")));
  await ui.finished(2);
  await heading("Other words");
});

test("the app is downloaded, and shared until the switch is off again", LIMIT, async () => {
  await tabTo(button("Download ZIP"));
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.keyboard.press("Enter")]);
  assert.match(download.suggestedFilename(), /\.zip$/);
  await press(button("Share"));
  const dialog = tab.getByRole("dialog", { name: "Share" });
  const toggle = dialog.getByRole("switch", { name: "Anyone with the link" });
  await press(toggle, "Space");
  const link = dialog.getByRole("textbox", { name: "Link" });
  await until("the link is there", async () => /\/s\/[\w-]{22,}$/.test(await link.inputValue()));
  await press(toggle, "Space");
  await link.waitFor({ state: "detached" });
  await tab.keyboard.press("Escape");
  await until("the button has the focus again", () => button("Share").evaluate((element) => element === document.activeElement));
});

test("a device is chosen and turned, both borders are moved, and a reload finds them where they were", LIMIT, async () => {
  await press(button("Phone"));
  const width = tab.getByRole("spinbutton", { name: "Width" });
  await until("it is a phone", async () => (await width.inputValue()) === "390");
  await press(button("Rotate"));
  await until("it lies on its side", async () => (await width.inputValue()) === "844");
  await press(button("Full width"));
  await width.waitFor({ state: "detached" });

  const chat = tab.getByRole("separator", { name: "Width of the chat" });
  const console_ = tab.getByRole("separator", { name: "Height of the console" });
  const value = async (border) => Number(await border.getAttribute("aria-valuenow"));
  const chatWidth = async () => Math.round((await tab.getByRole("region", { name: "Chat" }).boundingBox()).width);
  const before = await value(chat);
  await press(chat, "ArrowRight");
  await tab.keyboard.press("ArrowRight");
  const wide = await value(chat);
  assert.ok(wide > before);
  assert.equal(await chatWidth(), wide);
  await press(button("Console"));
  const low = await value(console_);
  await press(console_, "ArrowUp");
  const high = await value(console_);
  assert.ok(high > low);
  await tab.reload();
  await until("the chat is as wide as before", async () => (await value(chat)) === wide);
  assert.equal(await chatWidth(), wide);
  if (!(await console_.isVisible())) await press(button("Console"));
  await until("the console is as high as before", async () => (await value(console_)) === high);
  assert.deepEqual(problems, []);
});

test("on a phone one writes, edits a file, and looks at a version, too", LIMIT, async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const phone = await context.newPage();
  phone.setDefaultTimeout(PATIENCE);
  const seen = watchConsole(phone, { previews: false });
  await phone.goto(address);
  await phone.waitForLoadState("networkidle");
  await say("Change the words", phone);
  await workspace(phone).finished(3);
  await press(button("App", phone));
  await heading("Second words", phone);
  await goTo("Code", "ArrowRight", phone);
  await phone.getByRole("textbox", { name: "Editor" }).waitFor();
  await press(button("All files", phone));
  await openFile("page.tsx", phone);
  await rewrite(page("On a phone"), phone);
  await goTo("Preview", "ArrowLeft", phone);
  await heading("On a phone", phone);
  await press(button("Versions", phone));
  await press(items(phone).last().getByRole("button", { name: "View" }));
  await phone.getByText("You are viewing version 1").waitFor();
  await phone.keyboard.press("Escape");
  await press(phone.getByRole("link", { name: "Back to the newest" }));
  await heading("On a phone", phone);
  await press(button("Chat", phone));
  await phone.getByRole("textbox", { name: "Message" }).waitFor();
  assert.deepEqual(seen, []);
  await context.close();
});
