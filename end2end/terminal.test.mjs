// Somebody works in the Terminal tab: on a phone, a laptop and a wide screen, in two tabs, over reloads and lost connections, by keyboard.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { done, startModel, write } from "./model.mjs";
import { KEY, PATIENCE, killSandboxes, pauseSandboxes, results, startBrowser, startServer, until } from "./server.mjs";
import { build, openTab, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 420_000 };
const PANE = 'section[aria-label="App"]';

let model;
let server;
let browser;
let address;

before(async () => {
  model = await startModel((_, turn) => (turn > 0 ? done : write({ "app/page.tsx": "export default function Page() {\n  return <h1>Shells</h1>;\n}\n" })));
  server = await startServer({ ...model.env, SANDBOX_HOST_KEY: KEY });
  browser = await startBrowser();
  address = await build(browser, server, "Build a page");
});

after(() => stopAll(browser, server, model));

/** The Terminal tab as a person uses it. */
function terminal(page) {
  const pane = page.getByRole("region", { name: "Terminal", exact: true });
  const panel = () => pane.getByRole("tabpanel");
  return {
    pane,
    tabs: pane.getByRole("tablist", { name: "Terminals" }).getByRole("tab"),
    input: () => panel().getByRole("textbox", { name: "Terminal input" }),
    text: () => panel().locator(".xterm-rows").innerText(),
    async shows(words) {
      await until(`the terminal shows ${words}`, async () => (await this.text().catch(() => "")).includes(words)).catch(async (error) => {
        throw new Error(`${error.message}; it shows:\n${await this.text().catch(() => "nothing")}`);
      });
    },
    async run(command) {
      await this.input().focus();
      await page.keyboard.type(command);
      await page.keyboard.press("Enter");
    },
    async open(url = address) {
      await page.goto(url);
      if (page.viewportSize().width < 768) await page.getByRole("button", { name: "App", exact: true }).click();
      await page.getByRole("tab", { name: "Terminal", exact: true }).click();
      await this.shows("$");
    },
  };
}

async function open(width, height = 900) {
  const { tab: page, problems } = await openTab(browser, { width, height });
  return { page, problems, at: terminal(page) };
}

for (const width of [390, 1024, 1920]) {
  test(`at ${width} px a shell runs commands, follows the size, and is there after a reload`, LIMIT, async () => {
    const { page, problems, at } = await open(width);
    await at.open();
    await at.run(`echo $((${width}*2))-seen`);
    await at.shows(`${width * 2}-seen`);
    await at.run(`echo size-${width}-$(stty size)`);
    const size = async () => (await at.text()).match(new RegExp(`size-${width}-\\d+ (\\d+)`))?.[1];
    const cols = Number(await until("the size is shown", size));
    assert.ok(width === 390 ? cols > 30 && cols < 60 : cols > 60, `${cols} columns at ${width} px`);
    for (const theme of ["light", "dark"]) {
      await preferTheme(page, theme);
      await page.screenshot({ caret: "initial", path: join(results, `terminal-${width}-${theme}.png`) });
      await assertAccessible(page, `the terminal at ${width} px, ${theme}`, PANE);
    }
    await page.reload();
    if (width < 768) await page.getByRole("button", { name: "App", exact: true }).click();
    await page.getByRole("tab", { name: "Terminal", exact: true }).click();
    await at.shows(`${width * 2}-seen`);
    await at.run("echo after-$((1+1))");
    await at.shows("after-2");
    assert.deepEqual(problems, []);
    await page.context().close();
  });
}

test("two tabs show the same shells, and a lost connection is said and mended", LIMIT, async () => {
  const [one, two] = [await open(1280), await open(1280)];
  await one.at.open();
  await two.at.open();
  const before = await one.at.tabs.count();
  await one.page.getByRole("button", { name: "New terminal" }).click();
  await until("the other tab has it too", async () => (await two.at.tabs.count()) === before + 1);
  assert.equal(await one.at.tabs.nth(before).getAttribute("aria-selected"), "true");
  assert.equal(await two.at.tabs.nth(before).getAttribute("aria-selected"), "false");
  await two.at.tabs.nth(before).click();
  await one.at.shows("$");
  await one.at.run("echo both-$((3+4))");
  await two.at.shows("both-7");

  await one.page.context().setOffline(true);
  await two.at.run("echo meanwhile-$((5+6))");
  await two.at.shows("meanwhile-11");
  await one.page.context().setOffline(false);
  await one.at.shows("meanwhile-11");
  await one.at.run("echo again-$((7+8))");
  await two.at.shows("again-15");

  await one.page.getByRole("button", { name: /^Close Shell/ }).click();
  await until("it is closed in both", async () => (await one.at.tabs.count()) === before && (await two.at.tabs.count()) === before);
  await one.page.context().close();
  await two.page.context().close();
});

test("everything is done by keyboard alone, and the keyboard finds its way out", LIMIT, async () => {
  const { page, at } = await open(1280);
  await page.goto(address);
  // From when the page lives on.
  await until("the key leads to the terminal", async () => {
    await page.getByRole("tab", { name: "Preview", exact: true }).focus();
    await page.keyboard.press("End");
    return (await page.getByRole("tab", { name: "Terminal", exact: true }).getAttribute("aria-selected")) === "true";
  });
  await at.shows("$");
  assert.equal(await page.evaluate(() => document.activeElement.id), "terminal");
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.id), /^terminal-tab-\d+$/);
  await page.keyboard.press("Enter");
  await page.keyboard.type("echo typed-$((8+9))");
  await page.keyboard.press("Enter");
  await at.shows("typed-17");
  // A program has the Tab key, Ctrl+K and Escape for itself.
  await page.keyboard.type("cat package.jso");
  await page.keyboard.press("Tab");
  await until("the name is completed", async () => (await at.text()).includes("cat package.json"));
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Control+K");
  await page.keyboard.type("echo cut-$((1+4))");
  await page.keyboard.press("Enter");
  await at.shows("cut-5");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await page.keyboard.press("Control+F6");
  assert.match(await page.evaluate(() => document.activeElement.id), /^terminal-tab-\d+$/);
  const before = await at.tabs.count();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "New terminal");
  await page.keyboard.press("Enter");
  await until("there is another shell", async () => (await at.tabs.count()) === before + 1);
  await until("the keyboard is in it", () => page.evaluate(() => document.activeElement.classList.contains("xterm-helper-textarea")));
  await page.keyboard.press("Control+F6");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await at.tabs.nth(before - 1).getAttribute("aria-selected"), "true");
  await page.keyboard.press("End");
  await page.keyboard.press("Delete");
  await until("it is closed", async () => (await at.tabs.count()) === before);
  // What it shows is read to those who can't see it.
  await page.getByRole("button", { name: "Screen reader mode" }).press("Enter");
  await at.run("echo read-$((2+3))");
  await until("it is in the accessible tree", async () => (await at.pane.locator(".xterm-accessibility").innerText()).includes("read-5"));
  await assertAccessible(page, "the terminal in screen reader mode", PANE);
  await page.getByRole("button", { name: "Screen reader mode" }).press("Enter");
  await page.context().close();
});

test("what is selected is copied, and what is pasted is typed as it is", LIMIT, async () => {
  const { page, at } = await open(1280);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(address).origin });
  await at.open();
  await page.getByRole("button", { name: "New terminal" }).click();
  await until("the keyboard is in it", () => page.evaluate(() => document.activeElement.classList.contains("xterm-helper-textarea")));
  await at.shows("$");
  await at.run("clear; echo copied-$((4*4))-äöü");
  await at.shows("copied-16-äöü");
  await at.pane.getByRole("tabpanel").getByText("copied-16-äöü").first().dblclick({ force: true });
  await page.keyboard.press("Control+Shift+C");
  await until("it is copied", async () => (await page.evaluate(() => navigator.clipboard.readText())).includes("copied-16"));
  await page.evaluate(() => navigator.clipboard.writeText("echo one-$((1+1))\necho two-$((2+2))\n"));
  await page.keyboard.press("Control+Shift+V");
  await page.keyboard.press("Enter");
  await at.shows("one-2");
  await at.shows("two-4");
  await page.context().close();
});

test("an ended shell says so with what it left running, and another one is a press away", LIMIT, async () => {
  const { page, at } = await open(1024);
  await at.open();
  await page.getByRole("button", { name: "New terminal" }).click();
  await until("the keyboard is in it", () => page.evaluate(() => document.activeElement.classList.contains("xterm-helper-textarea")));
  await at.shows("$");
  await at.run("sleep 4321 & disown; exit 7");
  const alert = at.pane.getByRole("alert");
  await until("its end is said", async () => /exit code 7.*Still running: .*sleep 4321/.test(await alert.innerText().catch(() => "")));
  await page.screenshot({ caret: "initial", path: join(results, "terminal-ended.png") });
  await assertAccessible(page, "an ended shell", PANE);
  await page.getByRole("button", { name: "End what still runs" }).click();
  await until("nothing is left", async () => !(await alert.innerText()).includes("Still running"));
  await alert.getByRole("button", { name: "New shell" }).click();
  await until("the new one is shown", async () => !(await at.tabs.last().innerText()).includes("ended") && (await at.tabs.last().getAttribute("aria-selected")) === "true");
  await at.shows("$");
  await at.run("pgrep -f 'sleep 432[1]' || echo none-$((0))");
  await at.shows("none-0");
  await page.context().close();
});

test("a file that a command makes is in the Code tab and in the next version", LIMIT, async () => {
  const { page, at } = await open(1280);
  await at.open();
  await page.getByRole("button", { name: "New terminal" }).click();
  await until("the keyboard is in it", () => page.evaluate(() => document.activeElement.classList.contains("xterm-helper-textarea")));
  await at.run("echo 'export const shell = 1;' > lib-made.ts; echo ok-$((1))");
  await at.shows("ok-1");
  await workspace(page).send("Go on");
  await workspace(page).finished(2);
  await page.getByRole("tab", { name: "Code", exact: true }).click();
  await page.getByRole("searchbox", { name: "Filter files" }).fill("lib-made", { timeout: 90_000 });
  await page.getByRole("treeitem", { name: "lib-made.ts" }).waitFor();
  await page.context().close();
});

test("a sandbox that sleeps is woken by a button, and one that is lost ends its shells in words", LIMIT, async () => {
  const { page, at } = await open(1024);
  // The app in the preview would wake it at once.
  await page.route(/^https?:\/\/\d+-/, (route) => route.abort());
  await at.open();
  await page.getByRole("button", { name: "New terminal" }).click();
  await until("the keyboard is in it", () => page.evaluate(() => document.activeElement.classList.contains("xterm-helper-textarea")));
  await at.shows("$");
  await at.run("kept=$((6*7)); echo set-$((1))");
  await at.shows("set-1");
  const alert = at.pane.getByRole("alert");
  const asleep = async () => {
    await pauseSandboxes(server);
    await alert.getByText("The sandbox is asleep").waitFor();
  };
  await asleep();
  await page.screenshot({ caret: "initial", path: join(results, "terminal-asleep.png") });
  await assertAccessible(page, "a terminal whose sandbox sleeps", PANE);
  // Once a minute the app of a page that somebody looks at is looked after, and woken by that.
  await until("the button wakes it", async () => {
    if (await alert.isHidden()) await asleep();
    return alert.getByRole("button", { name: "Wake" }).click({ timeout: 5_000 }).then(() => true, () => false);
  });
  await alert.waitFor({ state: "hidden" });
  await at.run("echo kept-$kept");
  await at.shows("kept-42");

  await killSandboxes(server);
  await until("the loss is said", async () => /ended with its sandbox|sandbox was lost/.test(await alert.innerText().catch(() => "")));
  await alert.getByRole("button", { name: "New shell" }).click();
  await until("another shell is shown", async () => (await at.tabs.last().getAttribute("aria-selected")) === "true" && !(await at.tabs.last().innerText()).includes("ended"), 2 * PATIENCE);
  await at.shows("$");
  await at.run("cat app/page.tsx");
  await at.shows("Shells");
  await page.context().close();
});
