// A text of the editor meets what others wrote, a window that changes its size, and a full disk: nothing is overwritten or lost, and
// nothing is called saved that is not. And the editor's themes, which all devices of a user share.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { done, startModel, write } from "./model.mjs";
import { post, readFile, results, startBrowser, startServer, until } from "./server.mjs";
import { build, code, linesOf, openTab } from "./workspace.mjs";

const LIMIT = { timeout: 240_000 };
const PATH = "notes.md";
const BUILT = "# Notes\n\nOne\nTwo\nThree\n";
/** The size of the sandbox's disk, in MB. */
const DISK = 512;

let model;
let server;
let browser;
let address;
let project;

before(async () => {
  const files = { "app/page.tsx": "export default function Page() {\n  return <h1>As built</h1>;\n}\n", [PATH]: BUILT };
  model = await startModel((_, turn) => (turn > 0 ? done : write(files)));
  server = await startServer({ ...model.env, SANDBOX_DISK_MB: String(DISK) });
  browser = await startBrowser();
  address = await build(browser, server, "Build a page");
  project = address.split("/").at(-1);
});

after(() => stopAll(browser, server, model));

async function open(width) {
  const { tab: page, problems } = await openTab(browser, { width });
  return { page, problems, at: code(page, address) };
}

/** The file as the server has it. */
const stored = (path = PATH) => readFile(server, project, path);

/** What another tab of the user does. */
const elsewhere = {
  async writes(content) {
    const { hash } = await stored();
    await post(server, "/api/files/write", { project, path: PATH, content, ...(hash && { base: hash }) });
  },
  deletes: () => post(server, "/api/files/delete", { project, path: PATH }),
};

/** Types the text while somebody else does something to the file, of which the page learns when it saves. */
async function typeMeanwhile(page, at, text, other) {
  const write = "**/api/files/write";
  let isDone = false;
  await page.route(write, async (route) => {
    if (!isDone) await other();
    isDone = true;
    await route.continue();
  });
  await at.type(text);
  await page.getByRole("alert").filter({ hasText: "Your text is kept here" }).waitFor();
  await page.unroute(write);
  await at.says("Unsaved");
}

/** The dialog that asks which text stays. */
function dialogOf(page) {
  const dialog = page.getByRole("dialog", { name: `${PATH} was changed meanwhile` });
  const mine = dialog.getByRole("textbox", { name: "Your text" });
  return {
    dialog,
    mine,
    theirs: dialog.getByRole("textbox", { name: "What is there" }),
    press: (name) => dialog.getByRole("button", { name }).click(),
    async open() {
      await page.getByRole("button", { name: "Resolve" }).click();
      await mine.waitFor();
    },
    async type(text) {
      await mine.click();
      await page.keyboard.press("ControlOrMeta+A");
      await page.keyboard.insertText(text);
    },
  };
}

/** Pictures of the page in both themes. */
async function pictures(page, name) {
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    await page.screenshot({ caret: "initial", path: join(results, `${name}-${page.viewportSize().width}-${theme}.png`) });
  }
  await preferTheme(page, "light");
}

/** Puts the file back as it was built. */
async function asBuilt() {
  if ((await stored()).text !== BUILT) await elsewhere.writes(BUILT);
}

test("a conflict that is looked at and left, by its button, by Escape or by a reload, loses neither text", LIMIT, async () => {
  await asBuilt();
  const { page, problems, at } = await open();
  const asks = dialogOf(page);
  await at.open(PATH);
  const [mine, theirs] = [`${BUILT}Of mine\n`, `Of theirs\n${BUILT}`];
  await typeMeanwhile(page, at, mine, () => elsewhere.writes(theirs));
  for (const leave of [() => asks.press("Close"), () => page.keyboard.press("Escape")]) {
    await asks.open();
    assert.equal(await linesOf(asks.mine), mine);
    assert.equal(await linesOf(asks.theirs), theirs);
    await leave();
    await asks.dialog.waitFor({ state: "hidden" });
    await at.says("Unsaved");
    assert.equal(await at.text(), mine);
    assert.equal((await stored()).text, theirs);
  }
  await page.reload();
  await until("the text is there again", async () => (await at.text().catch(() => "")) === mine);
  await page.getByRole("alert").filter({ hasText: "Your text is kept here" }).waitFor();
  await asks.open();
  assert.equal(await linesOf(asks.theirs), theirs);
  assert.equal((await stored()).text, theirs);

  // The other text is taken, and the own one is not offered again.
  await asks.press("Take theirs");
  await at.says("Saved");
  assert.equal(await at.text(), theirs);
  await page.reload();
  await until("a reload shows it", async () => (await at.text().catch(() => "")) === theirs);
  await at.says("Saved");
  assert.equal((await stored()).text, theirs);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a merge that was begun is there again after the dialog was left, until the conflict is resolved", LIMIT, async () => {
  await asBuilt();
  const { page, problems, at } = await open();
  const asks = dialogOf(page);
  await at.open(PATH);
  const mine = `${BUILT}Of mine\n`;
  await typeMeanwhile(page, at, mine, () => elsewhere.writes(`Of theirs\n${BUILT}`));
  const says = (words) => asks.dialog.getByRole("status").filter({ hasText: words }).waitFor();
  await asks.open();
  assert.equal(await asks.dialog.getByRole("status").count(), 0, "nothing was begun");
  let merged = `Of theirs\n${BUILT}Of mine\n`;
  await asks.type(merged);
  for (const leave of [() => asks.press("Close"), () => page.keyboard.press("Escape"), () => page.reload()]) {
    await leave();
    await asks.dialog.waitFor({ state: "hidden" });
    await asks.open();
    await says("This is the merge that you began");
    assert.equal(await linesOf(asks.mine), merged);
    merged += "And more\n";
    await asks.type(merged);
  }
  await asks.press("Close");
  assert.equal(await at.text(), mine, "the editor has the own text meanwhile");
  await asks.open();
  await assertAccessible(page, "the dialog of a conflict with a merge", "dialog[open]");
  await asks.press("Start again from my text");
  await says("without the merge that you began");
  await until("the own text is there", async () => (await linesOf(asks.mine)) === mine);
  await asks.press("Continue my merge");
  await until("the merge is there", async () => (await linesOf(asks.mine)) === merged);
  await pictures(page, "conflict-merge");
  await asks.press("Close");

  // What is typed in the editor after that is not in it, which is said.
  await at.type(`${mine}Later\n`);
  await asks.open();
  await says("You began a merge before one of the two texts changed");
  assert.equal(await linesOf(asks.mine), `${mine}Later\n`);
  await asks.press("Continue my merge");
  await until("the merge is there", async () => (await linesOf(asks.mine)) === merged);
  await asks.press("Save the merged text");
  await at.says("Saved");
  assert.equal((await stored()).text, merged);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a save that reached the app and failed after that is no conflict with what is typed next, also after a reload", LIMIT, async () => {
  for (const reloads of [false, true]) {
    await asBuilt();
    const { page, problems, at } = await open();
    // The page hears of the write by no other way.
    await page.routeWebSocket(/\/ws\/projects\//, (socket) => {
      socket.connectToServer().onMessage((frame) => {
        if (!/"type":"files"|"files":\[/.test(frame)) socket.send(frame);
      });
    });
    await at.open(PATH);
    await at.says("Saved");
    const [first, second] = [`${BUILT}First ${reloads}\n`, `${BUILT}Second ${reloads}\n`];
    const write = "**/api/files/write";
    await page.route(write, async (route) => {
      await route.fetch();
      const body = JSON.stringify({ code: "internal", message: "Something went wrong on the server. Please try again.", field: null });
      await route.fulfill({ status: 500, contentType: "application/json", body });
    });
    await at.type(first);
    await page.getByRole("alert").filter({ hasText: "Not saved: Something went wrong" }).waitFor();
    assert.equal((await stored()).text, first);
    await at.type(second);
    if (reloads) await page.reload();
    await page.unroute(write);
    await at.says("Saved");
    assert.equal(await at.text(), second);
    assert.equal((await stored()).text, second);
    assert.equal(await page.getByText("Your text is kept here").count(), 0);
    assert.deepEqual(problems.filter((problem) => !problem.includes("status of 500")), []);
    await page.context().close();
  }
});

test("two texts are merged in the dialog, at every size of the window, and the merged one is saved", LIMIT, async () => {
  await asBuilt();
  const { page, problems, at } = await open();
  const asks = dialogOf(page);
  await at.open(PATH);
  await typeMeanwhile(page, at, BUILT.replace("Two", "Two of mine"), () => elsewhere.writes(BUILT.replace("One", "One of theirs")));
  await asks.open();
  await pictures(page, "conflict");
  await assertAccessible(page, "the dialog of a conflict", "dialog[open]");
  // Lines are taken by keyboard, too.
  await asks.dialog.getByRole("button", { name: "Take these lines" }).press("Enter");
  await until("their lines are taken", async () => (await linesOf(asks.mine)) === BUILT.replace("One", "One of theirs"));
  const merged = BUILT.replace("One", "One of theirs").replace("Two", "Two of mine");
  await asks.type(merged);
  // Two texts where there is room, else one; what was typed stays.
  const texts = asks.dialog.locator(".cm-editor");
  for (const [width, count] of [[390, 1], [1280, 2], [860, 1]]) {
    await page.setViewportSize({ width, height: 800 });
    await until(`there are ${count} texts at ${width} px`, async () => (await texts.count()) === count);
    // The one text shows the lines that it does not have, too.
    await until("what was typed is still there", async () => (await asks.mine.innerText()).includes("Two of mine"));
    const overflow = await asks.dialog.evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
    assert.equal(overflow, 0, `nothing is wider than the dialog at ${width} px`);
    for (const name of ["Take theirs", "Keep mine", "Save the merged text"]) {
      const box = await asks.dialog.getByRole("button", { name }).boundingBox();
      assert.ok(box && box.x >= 0 && box.x + box.width <= width && box.y + box.height <= 800, `${name} can be pressed at ${width} px`);
    }
    if (width !== 390) continue;
    await pictures(page, "conflict");
    await assertAccessible(page, "the dialog of a conflict on a phone", "dialog[open]");
    await asks.dialog.getByRole("button", { name: "Take their lines" }).press("Enter");
    await until("their line is taken", async () => !(await asks.mine.innerText()).includes("Two of mine"));
    await asks.mine.press("ControlOrMeta+z");
  }
  await asks.press("Save the merged text");
  await at.says("Saved");
  assert.equal(await at.text(), merged);
  assert.equal((await stored()).text, merged);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("the comparison with the newest version follows the window, unless it stays on its side of the limit", LIMIT, async () => {
  await asBuilt();
  const { page, problems, at } = await open();
  await at.open(PATH);
  await at.type(`${BUILT}Four\n`);
  await at.says("Saved");
  await page.getByRole("button", { name: "Compare" }).click();
  const dialog = page.getByRole("dialog", { name: `Changes of ${PATH}` });
  const shows = (count, layout) =>
    until(`${layout} is chosen, with ${count} texts`, async () => {
      const chosen = await dialog.getByRole("group", { name: "Layout" }).getByRole("button", { pressed: true }).innerText();
      return chosen === layout && (await dialog.locator(".cm-editor").count()) === count;
    });
  await shows(2, "Side by side");
  await dialog.getByRole("button", { name: "Unified" }).click();
  await shows(1, "Unified");
  await page.setViewportSize({ width: 1000, height: 800 });
  await shows(1, "Unified");
  await dialog.getByRole("button", { name: "Side by side" }).click();
  for (const [width, count, layout] of [[1200, 2, "Side by side"], [390, 1, "Unified"], [1280, 2, "Side by side"]]) {
    await page.setViewportSize({ width, height: 800 });
    await shows(count, layout);
    await pictures(page, "compare");
  }
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a file that was deleted meanwhile is let go, or made again from the own text", LIMIT, async () => {
  await asBuilt();
  const { page, problems, at } = await open();
  const asks = dialogOf(page);
  await at.open(PATH);
  await typeMeanwhile(page, at, "# Mine alone\n", elsewhere.deletes);
  await asks.open();
  await asks.press("Keep mine");
  await at.says("Saved");
  assert.equal((await stored()).text, "# Mine alone\n");

  await typeMeanwhile(page, at, "# Not needed\n", elsewhere.deletes);
  await asks.open();
  await asks.press("Let it be deleted");
  await until("its tab is closed", async () => (await at.tabs.count()) === 0);
  assert.equal((await stored()).text, undefined);
  // A file that is gone is an answer that the browser reports.
  assert.deepEqual(problems.filter((problem) => !problem.includes("404")), []);
  await page.context().close();
});

test("a theme of the editor colours it, stays over a reload, and is there on another device, in light and dark", LIMIT, async () => {
  await asBuilt();
  const { page, problems, at } = await open();
  await at.open("app/page.tsx");
  const themes = (of) => of.getByRole("combobox", { name: "Editor theme" });
  const look = (of) =>
    of.locator(".code-editor").evaluate((editor) => {
      const style = (selector, name) => getComputedStyle(editor.querySelector(selector))[name];
      return { paper: style(".cm-editor", "backgroundColor"), ink: style(".cm-editor", "color"), keyword: style(".hl-keyword", "color") };
    });
  const looks = {};
  const options = await themes(page).locator("option").evaluateAll((all) => all.map((option) => option.value));
  assert.ok(options.length >= 3, options.join());
  for (const theme of options) {
    const kept = page.waitForResponse((answer) => answer.url().endsWith("/api/preferences") && answer.request().postData().includes(`"${theme}"`));
    await themes(page).selectOption(theme);
    assert.ok((await kept).ok());
    for (const scheme of ["light", "dark"]) {
      await preferTheme(page, scheme);
      await assertAccessible(page, `the editor in ${theme}, ${scheme}`, 'section[aria-label="File"]');
      await page.screenshot({ caret: "initial", path: join(results, `editor-theme-${theme}-${scheme}.png`) });
      looks[`${theme} ${scheme}`] = await look(page);
    }
    await page.reload();
    await at.editor.waitFor();
    await until(`a reload has ${theme}`, async () => (await themes(page).inputValue()) === theme);
    assert.deepEqual(await look(page), looks[`${theme} dark`]);
    const other = await open(390);
    await other.at.open("app/page.tsx");
    await until(`another device has ${theme}`, async () => (await themes(other.page).inputValue()) === theme);
    assert.deepEqual(await look(other.page), looks[`${theme} dark`]);
    await other.page.screenshot({ caret: "initial", path: join(results, `editor-theme-${theme}-390.png`) });
    assert.deepEqual(other.problems, []);
    await other.page.context().close();
  }
  const different = (of) => new Set(options.map((theme) => JSON.stringify(looks[`${theme} ${of}`]))).size;
  assert.deepEqual([different("light"), different("dark")], [options.length, options.length], JSON.stringify(looks));
  assert.notDeepEqual(looks[`${options[0]} light`], looks[`${options[0]} dark`]);
  await themes(page).selectOption(options[0]);
  await preferTheme(page, "light");
  assert.deepEqual(problems, []);
  await page.context().close();
});

/** Runs a command in the Terminal tab, and waits until its output has the words. */
async function inTerminal(page, command, words) {
  await page.getByRole("tab", { name: "Terminal", exact: true }).click();
  const pane = page.getByRole("region", { name: "Terminal", exact: true });
  const output = () => pane.getByRole("tabpanel").locator(".xterm-rows").innerText().catch(() => "");
  await until("the shell is there", async () => (await output()).includes("$"));
  await pane.getByRole("textbox", { name: "Terminal input" }).focus();
  await page.keyboard.type(command);
  await page.keyboard.press("Enter");
  await until(`the terminal shows ${words}`, async () => (await output()).includes(words));
  await page.getByRole("tab", { name: "Code", exact: true }).click();
}

test("a text that a full disk has no room for is never called saved, is kept, and is saved when there is room", LIMIT, async () => {
  await asBuilt();
  const { page, problems, at } = await open();
  await at.open(PATH);
  await at.says("Saved");
  // No more than the disk has, should it have no bound on this machine; to the last block.
  const fill = `for size in 1M 4k; do dd if=/dev/zero bs=$size count=${DISK} 2>/dev/null; done >/opt/cache/fill; echo full-$((1+1))`;
  await inTerminal(page, fill, "full-2");
  await at.editor.waitFor();
  const typed = `${BUILT}${"Typed on a full disk.\n".repeat(400)}`;
  // Whatever it says on the way.
  await page.evaluate(() => {
    const status = document.querySelector('section[aria-label="File"] [role=status]');
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
  });
  await at.editor.click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.insertText(typed);
  const trouble = page.getByRole("alert").filter({ hasText: /disk/ });
  await trouble.waitFor();
  assert.match(await trouble.innerText(), /^Not saved: /);
  assert.match(await trouble.innerText(), /ran out of disk \(\d+ MB\)\. Delete files|disk is full\. Delete files/);
  await at.says("Unsaved");
  await page.screenshot({ caret: "initial", path: join(results, "editor-full-disk.png") });
  await trouble.getByRole("button", { name: "Try again" }).click();
  await trouble.waitFor();
  await at.says("Unsaved");
  assert.ok(!(await page.evaluate(() => globalThis.said)).includes("Saved"));
  assert.equal((await stored()).text, BUILT);
  await page.reload();
  await page.getByRole("button", { name: "Save", exact: true }).and(page.locator(":enabled")).waitFor();
  await trouble.waitFor();
  await inTerminal(page, "rm /opt/cache/fill; echo free-$((1+1))", "free-2");
  // By itself.
  await at.says("Saved");
  await trouble.waitFor({ state: "detached" });
  assert.equal((await stored()).text, typed);
  // The refusals are answers that the browser reports.
  assert.deepEqual(problems.filter((problem) => !/status of (409|503)/.test(problem)), []);
  await page.context().close();
});
