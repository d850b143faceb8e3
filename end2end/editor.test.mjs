// Somebody edits the app's code: on a phone, a laptop and a wide screen; in two tabs at once; while the sandbox dies.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, run, startModel, write } from "./model.mjs";
import { assertAccessible } from "./accessible.mjs";
import { KEY, PATIENCE, killSandboxes, post, readFile, results, startBrowser, startServer, until } from "./server.mjs";
import { build, code, openTab, workspace } from "./workspace.mjs";

const page_of = (words) => `export default function Page() {\n  return <h1>${words}</h1>;\n}\n`;
const ODD = "lib/[id] (a) @b 100% #1 🙂.ts";
const MANY = "mkdir -p lib/many && cd lib/many && seq -f %04g.ts 4900 | xargs touch";

let model;
let server;
let browser;
let address;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (prompt.includes("Wait")) return turn > 0 ? done : run("while [ ! -e /tmp/go ]; do sleep 0.1; done");
    if (prompt.includes("Many")) return turn > 0 ? done : run(MANY);
    return turn > 0 ? done : write({ "app/page.tsx": page_of("As built"), [ODD]: "export const odd = 1;\n", "notes.md": "# Notes\n" });
  });
  server = await startServer({ ...model.env, SANDBOX_HOST_KEY: KEY });
  browser = await startBrowser();
  address = await build(browser, server, "Build a page");
});

after(() => stopAll(browser, server, model));

async function open(width, height = 900) {
  const { tab: page, problems } = await openTab(browser, { width, height });
  return { page, problems, at: code(page, address) };
}

const onServer = async (path) => (await readFile(server, address.split("/").at(-1), path)).text;

for (const width of [390, 1024, 1920]) {
  test(`at ${width} px a file is found, edited, saved by key and by a pause, and the app shows it`, async () => {
    const { page, problems, at } = await open(width);
    await page.goto(address);
    await page.waitForLoadState("networkidle");
    if (width < 768) await page.getByRole("button", { name: "App", exact: true }).click();
    await page.getByRole("tab", { name: "Code" }).click();
    await at.editor.waitFor();
    assert.match(await at.text(), /export default function Page/);
    await at.says("Saved");
    // By the key.
    await at.type(page_of(`By key ${width}`));
    await page.keyboard.press("ControlOrMeta+s");
    await at.says("Saved");
    assert.equal(await onServer("app/page.tsx"), page_of(`By key ${width}`));
    // By a pause.
    await at.type(page_of(`By pause ${width}`));
    await at.says("Unsaved");
    await at.says("Saved");
    assert.equal(await onServer("app/page.tsx"), page_of(`By pause ${width}`));
    await until("the address names the file", () => new URL(page.url()).searchParams.get("file") === "app/page.tsx");
    for (const theme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: theme });
      await page.screenshot({ caret: "initial", path: join(results, `editor-${width}-${theme}.png`) });
    }
    await page.emulateMedia({ colorScheme: "light" });
    // Its theme can be chosen at every width.
    const themes = page.getByRole("combobox", { name: "Editor theme" });
    const options = await themes.locator("option").evaluateAll((all) => all.map((option) => option.value));
    for (const theme of [options.at(-1), options[0]]) {
      await themes.selectOption(theme);
      await until(`the theme is ${theme}`, async () => (await page.locator("[data-editor-theme]").getAttribute("data-editor-theme")) === theme);
    }
    // The list, by the keyboard alone.
    if (width < 768) await page.getByRole("button", { name: "All files" }).click();
    await page.getByRole("searchbox", { name: "Filter files" }).fill("notes");
    await page.screenshot({ caret: "initial", path: join(results, `editor-${width}-files.png`) });
    await at.tree.focus();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await until("the other file is shown", async () => (await at.text()) === "# Notes\n");
    assert.equal(await at.tabs.count(), 2);
    await at.tabs.nth(1).focus();
    await page.keyboard.press("Delete");
    await until("it is closed", async () => (await at.tabs.count()) === 1);
    await page.getByRole("tab", { name: "Preview" }).click();
    await page.frameLocator('iframe[title="Preview"]').getByRole("heading", { name: `By pause ${width}` }).waitFor();
    assert.deepEqual(problems, []);
    await page.close();
  });
}

test("two tabs that edit one file: nothing is overwritten, and the texts are merged", async () => {
  const [one, two] = [await open(1280), await open(1280)];
  await one.at.open("app/page.tsx");
  await two.at.open("app/page.tsx");
  // What nobody typed over is taken over.
  await one.at.type(page_of("From one"));
  await one.at.says("Saved");
  await until("the other tab has it", async () => (await two.at.text()) === page_of("From one"));
  await two.at.says("Saved");

  // Without the feed, the second tab types on what it knew.
  await two.page.route("**/api/files/write", async (route) => {
    await until("the first has saved", async () => (await onServer("app/page.tsx")) === page_of("One again"));
    await route.continue();
  });
  await two.at.type(page_of("From two"));
  await one.at.type(page_of("One again"));
  await one.at.says("Saved");
  await two.page.getByRole("alert").filter({ hasText: "Your text is kept here" }).waitFor();
  await two.at.says("Unsaved");
  assert.equal(await onServer("app/page.tsx"), page_of("One again"));
  await two.page.unroute("**/api/files/write");
  await two.page.getByRole("button", { name: "Resolve" }).click();
  const dialog = two.page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Your text" }).waitFor();
  await two.page.screenshot({ caret: "initial", path: join(results, "editor-conflict.png") });
  await dialog.getByRole("button", { name: "Keep mine" }).click();
  await two.at.says("Saved");
  assert.equal(await onServer("app/page.tsx"), page_of("From two"));
  await until("the first tab has it", async () => (await one.at.text()) === page_of("From two"));
  for (const { page, problems } of [one, two]) {
    assert.deepEqual(problems, []);
    await page.close();
  }
});

test("names with odd characters are made, edited, renamed and deleted", async () => {
  const { page, problems, at } = await open(1280);
  await at.open(ODD);
  assert.match(await at.text(), /odd = 1/);
  await at.type("export const odd = 2;\n");
  await at.says("Saved");
  assert.equal(await onServer(ODD), "export const odd = 2;\n");
  await page.reload();
  await until("a reload shows it", async () => (await at.text().catch(() => "")) === "export const odd = 2;\n");

  await page.getByRole("button", { name: "New file" }).click();
  const path = page.getByRole("textbox", { name: "Path in the app" });
  await path.fill("node_modules/x.js");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: "node_modules" }).waitFor();
  await path.fill("new/ä ö.json");
  await page.getByRole("button", { name: "Create" }).click();
  await until("it is open", async () => (await at.tabs.last().innerText()).includes("ä ö.json"));
  await at.type("{}\n");
  await at.says("Saved");
  await page.getByRole("searchbox", { name: "Filter files" }).fill("ä ö");
  await at.tree.focus();
  await page.keyboard.press("End");
  await page.keyboard.press("F2");
  await path.fill("new/[renamed].json");
  await page.getByRole("dialog").getByRole("button", { name: "Move" }).click();
  await until("it is renamed", async () => (await onServer("new/[renamed].json")) === "{}\n");
  await page.getByRole("searchbox", { name: "Filter files" }).fill("renamed");
  await at.tree.getByRole("treeitem", { name: "[renamed].json" }).click();
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await until("it is gone", async () => (await onServer("new/[renamed].json")) === undefined);
  await until("its tab is closed", async () => !(await at.tabs.allInnerTexts()).join().includes("renamed"));
  assert.deepEqual(problems.filter((problem) => !problem.includes("404") && !problem.includes("400")), []);
  await page.close();
});

test("a text outlives a server that is away and a reload", async () => {
  const { page, at } = await open(1280);
  await at.open("app/page.tsx");
  const before = await onServer("app/page.tsx");
  await page.route("**/api/files/write", (route) => route.abort());
  await at.type(page_of("Typed while away"));
  await page.getByRole("alert").filter({ hasText: "can't be reached" }).waitFor();
  await at.says("Unsaved");
  await page.reload();
  await until("the text is there again", async () => (await at.text().catch(() => "")) === page_of("Typed while away"));
  assert.equal(await onServer("app/page.tsx"), before);
  await page.unroute("**/api/files/write");
  await at.says("Saved");
  assert.equal(await onServer("app/page.tsx"), page_of("Typed while away"));
  await page.close();
});

test("while a run is at work the text is kept, and saved when the run ends", async () => {
  const { page, at } = await open(1280);
  await at.open("notes.md");
  const project = address.split("/").at(-1);
  await post(server, "/api/messages/send", { project, text: "Wait for me" });
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await until("the run is at work", async () => (await page.locator("[data-run-state]").last().getAttribute("data-run-state")) === "running");
  await at.type("# Typed meanwhile\n");
  await page.getByRole("alert").filter({ hasText: "A run is at work" }).waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "editor-run.png") });
  assert.equal(await onServer("notes.md"), "# Notes\n");
  await page.getByRole("button", { name: "Stop" }).click();
  await at.says("Saved");
  assert.equal(await onServer("notes.md"), "# Typed meanwhile\n");
  await page.close();
});

test("files of the desktop are dropped onto a folder, and a line of the tree is dragged into another", async () => {
  const { page, problems, at } = await open(1280);
  await at.open("notes.md");
  const drop = async (target, name, text, size = 0) => {
    const dataTransfer = await page.evaluateHandle(
      ([name, text, size]) => {
        const data = new DataTransfer();
        data.items.add(new File([text, new Uint8Array(size)], name, { type: "text/plain" }));
        return data;
      },
      [name, text, size],
    );
    await target.dispatchEvent("dragover", { dataTransfer });
    await target.dispatchEvent("drop", { dataTransfer });
  };
  // A changed file is called so.
  const line = (name) => at.tree.getByRole("treeitem", { name: new RegExp(`^${name.replace(".", "\\.")}( edited)?$`) });
  await drop(line("lib"), "dropped.txt", "From the desktop");
  await page.getByText("Uploaded lib/dropped.txt.").waitFor();
  assert.equal(await onServer("lib/dropped.txt"), "From the desktop");
  await drop(at.tree, "plain.txt", "Of the app");
  await page.getByText("Uploaded plain.txt.").waitFor();
  assert.equal(await onServer("plain.txt"), "Of the app");
  // The same limits and sentences as by the button.
  await drop(line("lib"), "dropped.txt", "Again");
  await page.getByText("lib/dropped.txt is there already").waitFor();
  assert.equal(await onServer("lib/dropped.txt"), "From the desktop");
  await drop(line("lib"), "huge.bin", "", 33 << 20);
  await page.getByText(/huge\.bin is larger than \d+ MB/).waitFor();
  // None of it went with the message.
  assert.equal(await page.getByRole("button", { name: "Remove image" }).count(), 0);
  assert.equal(await page.locator("[data-drop-hint]").count(), 0);

  await line("plain.txt").dragTo(line("lib"));
  await page.getByText("Moved plain.txt to lib/plain.txt.").waitFor();
  assert.equal(await onServer("lib/plain.txt"), "Of the app");
  assert.equal(await onServer("plain.txt"), undefined);
  assert.deepEqual(problems, []);
  await page.close();
});

test("5,000 files are a few lines in the page, found by the filter and by their text", async () => {
  const { page, at } = await open(1280);
  const project = address.split("/").at(-1);
  await post(server, "/api/messages/send", { project, text: "Many files" });
  await page.goto(address);
  await page.waitForLoadState("networkidle");
  await workspace(page).runs().last().waitFor();
  await until("the run has ended", async () => (await page.locator("[data-run-state]").last().getAttribute("data-run-state")) === "succeeded", 2 * PATIENCE);
  await at.open("notes.md");
  await page.getByRole("searchbox", { name: "Filter files" }).fill("many");
  await at.tree.getByRole("treeitem", { name: "0001.ts" }).waitFor();
  assert.ok((await at.tree.getByRole("treeitem").count()) < 80);
  await at.tree.focus();
  await page.keyboard.press("End");
  await at.tree.getByRole("treeitem", { name: "4900.ts" }).waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "editor-many.png") });
  await page.getByRole("button", { name: "Search in all files" }).click();
  await page.getByRole("searchbox", { name: "Search in all files" }).fill("export const odd");
  await page.getByRole("button", { name: /line 1: export const odd/ }).click();
  await until("the file is shown", async () => (await at.text()).includes("export const odd"));
  // The tree has its line, once nothing hides that.
  await page.getByRole("button", { name: "Search in all files" }).click();
  await page.getByRole("searchbox", { name: "Filter files" }).fill("");
  await isInView(at.tree.getByRole("treeitem", { name: ODD.split("/").at(-1), selected: true }));
  await page.close();
});

/** Waits until a line of the tree can be seen. */
async function isInView(line) {
  await line.waitFor();
  const isSeen = (item) => {
    const [own, tree] = [item, item.closest("[role=tree]")].map((element) => element.getBoundingClientRect());
    return own.height > 0 && own.top >= tree.top && own.bottom <= tree.bottom;
  };
  await until(`${line} is in view`, () => line.evaluate(isSeen));
}

for (const width of [390, 1280]) {
  test(`at ${width} px the tree shows the file that the address names, in its folders`, async () => {
    const { page, problems, at } = await open(width);
    await at.open("lib/many/3210.ts");
    if (width < 768) await page.getByRole("button", { name: "All files" }).click();
    const line = at.tree.getByRole("treeitem", { name: "3210.ts", selected: true });
    await isInView(line);
    // A folder that somebody closes stays closed.
    await at.tree.focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await line.waitFor({ state: "detached" });
    assert.equal(await at.tree.getByRole("treeitem", { name: "many", exact: true }).getAttribute("aria-expanded"), "false");
    await page.screenshot({ caret: "initial", path: join(results, `editor-tree-${width}.png`) });
    assert.deepEqual(problems, []);
    await page.close();
  });
}

test("a file's menu is opened by the mouse and by keys, and a tab is closed by a button", async () => {
  const { page, at } = await open(1280);
  await at.open("app/page.tsx");
  const menu = page.getByRole("menu", { name: "The selected file" });
  await at.tree.getByRole("treeitem", { name: "notes.md" }).click({ button: "right" });
  await menu.waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "editor-menu.png") });
  await assertAccessible(page, "the menu of a file");
  await menu.getByRole("menuitem", { name: "Open", exact: true }).click();
  await until("it is open", async () => (await at.tabs.count()) === 2);
  await at.tree.focus();
  await page.keyboard.press("Shift+F10");
  await menu.waitFor();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("Delete notes.md?").waitFor();
  await page.keyboard.press("Escape");
  await at.tree.focus();
  await page.keyboard.press("ContextMenu");
  await menu.getByRole("menuitem", { name: "Rename or move" }).click();
  await page.getByRole("dialog", { name: "Rename or move" }).waitFor();
  await page.keyboard.press("Escape");
  const close = page.getByRole("button", { name: "Close notes.md" });
  await close.focus();
  await page.keyboard.press("Enter");
  await until("one tab is left", async () => (await at.tabs.count()) === 1);
  await page.close();
});

test("a pane that can't be fetched says so, the others live on, and it is there when it is tried again", async () => {
  const { page } = await open(1280);
  await page.goto(address);
  await page.waitForLoadState("networkidle");
  await page.route("**/pkg/*.wasm", (route) => route.abort());
  await page.getByRole("tab", { name: "Code", exact: true }).click();
  const failure = page.getByRole("tabpanel", { name: "Code" }).getByRole("alert");
  await failure.getByText("could not be fetched: the code editor").waitFor();
  await page.getByRole("textbox", { name: "Message" }).fill("The chat lives on");
  await page.getByRole("tab", { name: "Preview", exact: true }).click();
  await page.frameLocator('iframe[title="Preview"]').getByRole("heading").waitFor();
  await page.unroute("**/pkg/*.wasm");
  await page.getByRole("tab", { name: "Code", exact: true }).click();
  await failure.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("textbox", { name: "Editor" }).waitFor();
  await page.close();
});

test("a sandbox that is lost while somebody types costs no letter, and is said in words", async () => {
  const { page, at } = await open(1280);
  await at.open("notes.md");
  await at.type("# Before\n");
  await at.says("Saved");
  await killSandboxes(server);
  await at.editor.click();
  await page.keyboard.press("ControlOrMeta+End");
  for (let word = 1; word <= 20; word++) await page.keyboard.type(`word ${word} `);
  const typed = await at.text();
  await at.says("Saved");
  assert.equal(await at.text(), typed);
  assert.match(typed, /# Before\n[\s\S]*word 20 /);
  assert.equal(await onServer("notes.md"), typed);
  await page.getByText("The sandbox was lost, and the app was rebuilt").waitFor();
  await page.close();
});
