// The home page on a phone, a laptop and a wide screen, by mouse and by keyboard: projects, the showcase, commands, themes.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { WIDTHS, assertAccessible, preferTheme } from "./accessible.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { PATIENCE, get, post, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole } from "./workspace.mjs";

const pictures = join(results, "pages");
mkdirSync(pictures, { recursive: true });

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
});

after(() => stopAll(browser, server));

/** The home page, alive. */
async function home(width, options = {}) {
  const context = await browser.newContext({ viewport: { width, height: width < 600 ? 844 : 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(server.url);
  await page.waitForLoadState("networkidle");
  return page;
}

const use = (slug) => post(server, "/api/showcase/use", { slug });
const cards = (page) => page.getByRole("region", { name: "Your projects" }).getByRole("listitem");
const card = (page, title) => cards(page).filter({ has: page.getByRole("link", { name: title, exact: true }) });
const choose = async (page, title, item) => {
  await card(page, title).getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: item }).click();
};
/** Nothing is wider than the window. */
const fits = async (page) => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page scrolls sideways");

test("projects are searched, sorted, renamed, copied and deleted at every width, and a deletion is undone", async () => {
  for (const width of WIDTHS) {
    const project = await use("todo-app");
    const other = await use("quiz");
    const page = await home(width);
    const problems = watchConsole(page);
    await card(page, "Todo app").waitFor();
    await fits(page);
    await page.getByRole("searchbox", { name: "Search projects" }).fill("QUI");
    await until("one is found", async () => (await cards(page).count()) === 1);
    await page.getByRole("searchbox", { name: "Search projects" }).fill("");
    await page.getByRole("combobox", { name: "Sort projects" }).selectOption("title");
    await until("they are sorted", async () => (await cards(page).first().innerText()).startsWith("Quiz"));

    await choose(page, "Todo app", "Rename");
    const field = page.getByRole("textbox", { name: "Project title" });
    await field.fill(`Errands ${width}`);
    await field.press("Enter");
    await card(page, `Errands ${width}`).waitFor();
    await page.reload();
    await page.waitForLoadState("networkidle");
    await choose(page, `Errands ${width}`, "Duplicate");
    await card(page, `Copy of Errands ${width}`).waitFor();

    await choose(page, `Errands ${width}`, "Delete");
    await until("it is off the page", async () => (await card(page, `Errands ${width}`).count()) === 0);
    await page.getByRole("button", { name: "Undo" }).click();
    await card(page, `Errands ${width}`).waitFor();
    assert.deepEqual(problems, []);
    const copies = await get(server, "/api/projects/list");
    for (const { id } of copies) await post(server, "/api/projects/delete", { project: id });
    assert.ok(copies.some(({ id }) => id === project) && copies.some(({ id }) => id === other));
    await page.context().close();
  }
});

test("a menu works by keyboard alone, and the focus comes back", async () => {
  await use("quiz");
  const page = await home(1024);
  const more = card(page, "Quiz").getByRole("button", { name: "More" });
  await more.focus();
  await page.keyboard.press("Enter");
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
  await until("the first item has the focus", async () => (await focused()) === "Rename");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "Duplicate");
  await page.keyboard.press("d");
  assert.equal(await focused(), "Delete");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "Rename");
  await page.keyboard.press("Escape");
  await until("the button has the focus", () => more.evaluate((button) => button === document.activeElement));
  await page.keyboard.press("Enter");
  await until("the first item has the focus", async () => (await focused()) === "Rename");
  await page.keyboard.press("Enter");
  const field = page.getByRole("textbox", { name: "Project title" });
  await until("the field has the focus", () => field.evaluate((input) => input === document.activeElement));
  await page.keyboard.press("Escape");
  await card(page, "Quiz").waitFor();
  await page.context().close();
});

test("the showcase has categories and a preview on devices, and an app of it becomes a project", async () => {
  for (const width of WIDTHS) {
    const page = await home(width);
    const showcase = page.getByRole("region", { name: "Showcase" });
    await showcase.getByRole("button", { name: "Games" }).click();
    await until("only games are shown", async () => (await showcase.getByRole("listitem").count()) === 1);
    await showcase.getByRole("button", { name: "Quiz" }).click();
    const dialog = page.getByRole("dialog", { name: "Quiz" });
    await dialog.getByRole("radio", { name: "Phone" }).check();
    await dialog.locator('img[src$="quiz-phone.jpg"]').waitFor();
    await page.keyboard.press("Escape");
    await until("the dialog is closed", async () => (await dialog.count()) === 0);
    await showcase.getByRole("button", { name: "Quiz" }).click();
    await dialog.getByRole("button", { name: "Use this" }).click();
    await page.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
    await page.context().close();
  }
});

test("the way back from a deletion goes when its time is over, also under the pointer", async () => {
  await use("quiz");
  const page = await home(1024);
  await cards(page).first().getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const undo = page.getByRole("button", { name: "Undo" });
  await undo.hover();
  await until("it is gone", async () => (await undo.count()) === 0, 30_000);
  await page.context().close();
});

test("the commands and the shortcuts open by keyboard, on all pages", async () => {
  const page = await home(1024);
  for (const path of ["/", "/admin/runs", "/no/such/page"]) {
    await page.goto(`${server.url}${path}`);
    await page.waitForLoadState("networkidle");
    await page.locator("body").press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search commands" }).waitFor();
    await page.keyboard.press("Escape");
  }
  await page.keyboard.press("Control+k");
  const field = page.getByRole("combobox", { name: "Search commands" });
  await field.fill("theme dark");
  await until("it is found", async () => (await page.getByRole("listbox", { name: "Commands" }).getByRole("option").count()) === 1);
  await field.press("Enter");
  await until("it is dark", () => page.evaluate(() => document.documentElement.classList.contains("dark")));
  await page.context().close();
  // Another device has it, too.
  const other = await home(390);
  assert.ok(await other.evaluate(() => document.documentElement.classList.contains("dark")));
  await preferTheme(other, "system");
  await other.context().close();
});

test("the commands are reached by touch, and nothing is wider than a small phone", async () => {
  const page = await home(320);
  await page.getByRole("button", { name: "Commands" }).click();
  await page.getByRole("option", { name: "New project" }).waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `something is wider than the window by ${overflow} px`);
  await page.context().close();
});

test("what was typed survives a reload until it is sent", async () => {
  const page = await home(1024);
  const field = page.getByRole("textbox", { name: "Describe the app you want to build" });
  await field.fill("A garden planner");
  await page.reload();
  await until("it is back", async () => (await field.inputValue()) === "A garden planner");
  await field.fill("");
  await page.context().close();
});

test("the page says that it is offline, and when it is not any more", async () => {
  const page = await home(1024);
  await page.context().setOffline(true);
  await page.getByText("You are offline").waitFor();
  await page.context().setOffline(false);
  await page.getByText("You are offline").waitFor({ state: "hidden" });
  await page.context().close();
});

test("no page and no open dialog has a serious fault for assistive technology, in either theme", async () => {
  await use("weather");
  for (const theme of ["light", "dark"]) {
    for (const width of WIDTHS) {
      const page = await home(width, { reducedMotion: "reduce" });
      await preferTheme(page, theme);
      const seen = async (where) => {
        await page.screenshot({ caret: "initial", path: join(pictures, `${where}-${theme}-${width}.png`), fullPage: where === "home" });
        if (width !== 1920) await assertAccessible(page, `${where}, ${theme}, ${width}`);
      };
      await seen("home");
      await cards(page).first().getByRole("button", { name: "More" }).click();
      await page.getByRole("menu", { name: "More" }).first().waitFor();
      await seen("menu");
      await page.keyboard.press("Escape");
      await page.getByRole("region", { name: "Showcase" }).getByRole("button", { name: "Weather", exact: true }).click();
      await page.getByRole("button", { name: "Use this" }).waitFor();
      await seen("showcase");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+k");
      await page.getByRole("listbox", { name: "Commands" }).getByRole("option").first().waitFor();
      await seen("commands");
      await page.keyboard.press("Escape");
      await page.locator("body").press("?");
      await page.getByText("Everywhere").waitFor();
      await seen("shortcuts");
      await page.context().close();
    }
  }
});
