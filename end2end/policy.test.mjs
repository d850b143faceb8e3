// The pages' policy refuses every script and style that is not the page's own. Somebody goes everywhere: nothing is refused, and what has
// a size, a place or a colour of its own has it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, stopAll, test } from "./suite.mjs";
import { preferTheme } from "./accessible.mjs";
import { done, say, startModel, write } from "./model.mjs";
import { person, signUp } from "./people.mjs";
import { binary, data, startBrowser, startServer, until } from "./server.mjs";
import { code, watchConsole, watchPolicy, workspace } from "./workspace.mjs";

const PATH = "app/page.tsx";
const TABLE = "| Item | Price |\n| --- | ---: |\n| Tea | 3 |\n";
const app = (words) => `export default function Page() {\n  return <h1>${words}</h1>;\n}\n`;
const PAGES = [
  "/", "/pricing", "/usage", "/settings", "/admin/runs", "/admin/users", "/admin/projects", "/admin/sandboxes", "/admin/models", "/admin/data",
  "/admin/data?table=users", "/admin/audit", "/sign-in", "/sign-up", "/reset", "/no/such/page",
];

let model;
let server;
let browser;
let page;
let ui;
let address;
let refused;
let problems;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (prompt.startsWith("What")) return say(TABLE);
    return turn > 0 ? done : write({ [PATH]: app(prompt.startsWith("Change") ? "Second words" : "First words") });
  });
  server = await startServer({ ...model.env, AUTH: "on" });
  browser = await startBrowser();
  page = await person(browser, { viewport: { width: 1280, height: 800 }, permissions: ["clipboard-read", "clipboard-write"] });
  refused = await watchPolicy(page.context());
  problems = watchConsole(page, { previews: false });
  ui = workspace(page);
  await page.goto(`${server.url}/sign-up`);
  await signUp(page, "ada@example.com");
  await page.waitForURL(`${server.url}/`);
  execFileSync(binary, ["user", "set-role", "ada@example.com", "admin"], { env: { ...process.env, CODEFLOW_DATA_DIR: data } });
});

after(() => stopAll(browser, server, model));

const button = (name) => page.getByRole("button", { name, exact: true });
const tab = (name) => page.getByRole("tab", { name, exact: true });
const style = (element, name) => element.evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), name);
const isRefusedNothing = () => assert.deepEqual([refused, problems], [[], []]);

test("the policy has no exception for inline scripts or styles, and a page that breaks it would be seen to", async () => {
  const policy = (await fetch(server.url)).headers.get("content-security-policy");
  assert.match(policy, /style-src 'self' 'nonce-[^']+'(;|$)/);
  assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'/);
  const other = await person(browser);
  const seen = await watchPolicy(other.context());
  await other.goto(server.url);
  await other.evaluate(() => {
    document.body.setAttribute("style", "color: red");
    document.head.append(Object.assign(document.createElement("style"), { textContent: "body { color: red }" }));
  });
  await until("both are refused", () => seen.length === 2);
  assert.match(seen.join("\n"), /style-src-attr[\s\S]*style-src-elem/);
  await other.context().close();
});

test("the front page, its dialogs and an app's first run", async () => {
  await page.getByRole("region", { name: "Showcase" }).getByRole("button", { name: "Quiz" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Use this" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("ControlOrMeta+k");
  await page.keyboard.press("Escape");
  await ui.start(server.url, "Build a page");
  await ui.finished(1);
  await ui.send("Change the words");
  await ui.finished(2);
  address = page.url();
  isRefusedNothing();
});

test("an answer's table keeps its alignment, a message's toast its time, and the chat its width", async () => {
  await ui.mode("Ask").check();
  await ui.send("What does it cost?");
  await ui.finished(3);
  for (const arrived of ["live", "from the server"]) {
    const price = ui.log().locator("td").last();
    await price.waitFor();
    assert.equal(await style(price, "text-align"), "right", arrived);
    if (arrived === "live") await page.reload();
  }
  await ui.mode("Build").check();
  const last = ui.log().locator(".message").last();
  await last.hover();
  await last.getByRole("button", { name: "Copy", exact: true }).click();
  assert.equal(await style(page.locator(".toast-life").first(), "animation-duration"), "5s");
  await page.getByRole("separator", { name: "Width of the chat" }).press("Home");
  const chat = await page.getByRole("region", { name: "Chat" }).boundingBox();
  assert.equal(Math.round(chat.width), 300);
  isRefusedNothing();
});

test("the preview's sizes and its console", async () => {
  await ui.preview().getByRole("heading", { name: "Second words" }).waitFor();
  const frame = page.locator(".frame-room");
  for (const [device, width] of [["Phone", "390px"], ["Tablet", "768px"], ["Laptop", "1280px"]]) {
    await button(device).click();
    await until(`the frame is a ${device}`, async () => (await style(frame, "--frame-width")) === width);
    assert.equal(await style(page.locator('iframe[title="Preview"]'), "width"), width);
  }
  await button("Full width").click();
  await until("the frame fills the pane", async () => (await style(frame, "--frame-width")) === "");
  await button("Console").click();
  const drawer = page.getByRole("region", { name: "Console", exact: true });
  const height = Number.parseInt(await style(drawer, "height"), 10);
  await page.getByRole("separator", { name: "Height of the console" }).press("ArrowUp");
  await until("it is higher", async () => Number.parseInt(await style(drawer, "height"), 10) > height);
  await button("Console").click();
  isRefusedNothing();
});

test("the code: the tree, typing, the editor's search and a comparison", async () => {
  const at = code(page, address);
  await at.open(PATH);
  await at.editor.getByText("Second words").waitFor();
  const [first, second] = await at.tree.getByRole("treeitem").evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().top));
  assert.equal(second - first, 28, "each line of the tree has its place");
  assert.equal(await style(page.locator(".cm-scroller").first(), "display"), "flex", "the editor has its styles");
  await at.editor.click();
  await page.keyboard.press("ControlOrMeta+End");
  await page.keyboard.type("const typed = [1");
  await page.keyboard.press("ControlOrMeta+f");
  await page.locator(".cm-search").waitFor();
  await page.keyboard.press("Escape");
  await at.type(app("Second words"));
  await at.says("Saved");
  await button("Compare").click();
  await page.getByRole("dialog").locator(".cm-editor").first().waitFor();
  await page.keyboard.press("Escape");
  for (const theme of ["dark", "light"]) await preferTheme(page, theme);
  isRefusedNothing();
});

test("the terminal shows a program's own colours", async () => {
  await page.goto(address);
  await tab("Terminal").click();
  const pane = page.getByRole("region", { name: "Terminal", exact: true });
  await until("the shell is there", async () => (await pane.locator(".xterm-rows").innerText().catch(() => "")).includes("$"));
  await pane.getByRole("textbox", { name: "Terminal input" }).focus();
  await page.keyboard.type("printf '\\033[48;2;1;2;3;38;2;250;251;252m%s\\033[0m\\n' own-$((1+1))");
  await page.keyboard.press("Enter");
  const own = pane.locator(".xterm-rows > div").filter({ hasText: /^own-2/ }).locator("span").first();
  await own.waitFor();
  assert.deepEqual([await style(own, "background-color"), await style(own, "color")], ["rgb(1, 2, 3)", "rgb(250, 251, 252)"]);
  assert.equal(await style(pane.locator(".xterm-rows").first(), "font-kerning"), "none", "xterm.js has its styles");
  for (const theme of ["dark", "light"]) await preferTheme(page, theme);
  isRefusedNothing();
});

test("versions: the list, one that is looked at, and two that are compared", async () => {
  await page.goto(address);
  await button("Versions").click();
  await page.getByRole("list", { name: "Versions" }).getByRole("listitem").first().waitFor();
  await page.goto(`${address}?version=1&file=${encodeURIComponent(PATH)}`);
  await page.getByLabel(`The text of ${PATH}`).filter({ hasText: "First words" }).waitFor();
  await page.goto(`${address}?version=1..2`);
  await page.getByRole("list", { name: "Changed files" }).getByRole("button", { name: /page\.tsx/ }).click();
  const file = page.getByRole("region", { name: "Compared file" });
  await file.getByRole("textbox", { name: "Version 2" }).getByText("Second words").waitFor();
  await page.getByRole("button", { name: "Unified" }).click();
  await file.locator(".cm-deletedChunk").first().waitFor();
  isRefusedNothing();
});

test("every other page, and a run's steps as bars", async () => {
  for (const path of PAGES) {
    await page.goto(`${server.url}${path}`);
    await page.waitForFunction(() => "live" in document.documentElement.dataset);
    await page.waitForLoadState("networkidle");
  }
  await page.goto(`${server.url}/admin/runs`);
  await page.locator('a[href^="/admin/runs/"]').first().click();
  await page.waitForURL(/\/admin\/runs\/[0-9a-f-]{36}$/);
  const bars = page.locator("[data-step-state] rect[height='100%']");
  await bars.first().waitFor();
  const boxes = await bars.evaluateAll((bars) => bars.map((bar) => [bar, bar.closest("svg")].map((each) => each.getBoundingClientRect())));
  for (const [bar, axis] of boxes) assert.ok(bar.width > 0 && bar.left >= axis.left - 1 && bar.right <= axis.right + 1, "each bar is on the axis");
  // A page that does not exist is said to be missing, which the console repeats.
  assert.deepEqual([refused, problems.filter((problem) => !/status of 404/.test(problem))], [[], []]);
});
