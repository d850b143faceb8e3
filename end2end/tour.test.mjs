// The tour of docs/tour.md, in its order, with its pictures: `TOUR_PICTURES=1 node --test end2end/tour.test.mjs` takes those in docs/pictures/
// anew.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { PATIENCE, results, root, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 600_000 };
const folder = process.env.TOUR_PICTURES ? join(root, "docs/pictures") : join(results, "tour");
mkdirSync(folder, { recursive: true });

let server;
let browser;
let page;
let painter;
let problems;
let ui;

before(async () => {
  server = await startServer({ SANDBOX_POOL_SIZE: "1" });
  browser = await startBrowser();
  painter = await browser.newPage();
  page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: "light", reducedMotion: "reduce" });
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page, { previews: false });
  ui = workspace(page);
});

after(() => stopAll(browser, server));

/** Takes a picture as WebP, which Chromium writes for its own canvas. */
async function picture(name) {
  const png = (await page.screenshot({ caret: "hide" })).toString("base64");
  const webp = await painter.evaluate(async (png) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
    return new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result.split(",")[1]);
      reader.readAsDataURL(blob);
    });
  }, png);
  const bytes = Buffer.from(webp, "base64");
  assert.ok(bytes.length < 200_000, `${name} has ${bytes.length} bytes`);
  writeFileSync(join(folder, `${name}.webp`), bytes);
}

test("a prompt becomes an app", LIMIT, async () => {
  await ui.start(server.url, "Build me a todo app with dark mode");
  await ui.finished(1);
  const field = ui.preview().getByRole("textbox", { name: "New todo" });
  const add = async (name) => {
    await field.fill(name);
    await ui.preview().getByRole("button", { name: "Add", exact: true }).click();
    await ui.preview().getByRole("checkbox", { name }).waitFor({ timeout: 1000 });
  };
  await until("the app takes an item", () => add("Buy milk").then(() => true, () => false), 2 * PATIENCE);
  await add("Write to Ada");
  await add("Water the plants");
  await ui.preview().getByRole("checkbox", { name: "Buy milk" }).click();
  await picture("workspace");
});

test("its code is there to be read and changed", LIMIT, async () => {
  await page.getByRole("tab", { name: "Code", exact: true }).click();
  await page.getByRole("textbox", { name: "Editor" }).waitFor();
  await page.getByRole("treeitem", { name: "page.tsx" }).waitFor();
  await picture("code");
});

test("a shell runs beside it", LIMIT, async () => {
  await page.getByRole("tab", { name: "Terminal", exact: true }).click();
  const rows = page.locator(".xterm-rows");
  await until("there is a prompt", async () => (await rows.innerText().catch(() => "")).includes("$"), 2 * PATIENCE);
  await page.getByRole("textbox", { name: "Terminal input" }).focus();
  await page.keyboard.type("ls && npm run typecheck");
  await page.keyboard.press("Enter");
  await until("the types are checked", async () => /tsc --noEmit[\s\S]*\$\s*$/.test((await rows.innerText()).trimEnd()), 2 * PATIENCE);
  await picture("terminal");
});

test("a follow-up is another version, and two are compared", LIMIT, async () => {
  await page.getByRole("tab", { name: "Preview", exact: true }).click();
  await ui.send("Change the color scheme to blue");
  await ui.finished(2);
  await page.getByRole("button", { name: "Versions", exact: true }).click();
  const list = page.getByRole("list", { name: "Versions" });
  await list.getByText("Version 2", { exact: false }).first().waitFor();
  await until("the pictures are there", () => list.locator("img").evaluateAll((all) => all.length === 2 && all.every((one) => one.naturalWidth > 0)));
  await picture("versions");
  await page.getByRole("button", { name: "Compare versions" }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("region", { name: "Compared file" }).locator(".cm-editor").first().waitFor();
  await picture("compare");
});

test("the home page lists it, and nothing was reported meanwhile", LIMIT, async () => {
  await page.goto(server.url);
  await page.getByRole("searchbox", { name: "Search projects" }).waitFor();
  await until("its picture is there", () => page.locator('main li img[src^="/api/pictures/"]').evaluateAll((all) => all.length > 0 && all.every((one) => one.naturalWidth > 0)));
  await picture("home");
  assert.deepEqual(problems, []);
});
