// The Preview tab around the app: its address bar follows the app and leads it, the frame stands for devices, and the console says what
// happens in the page and in the dev server.
import assert from "node:assert/strict";
import { join } from "node:path";
import { WIDTHS, assertAccessible, preferTheme } from "./accessible.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { PATIENCE, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const PAGE = `"use client";
import Link from "next/link";
import { useRouter } from "next/navigation";

export default function Home() {
  const router = useRouter();
  return (
    <main className="flex flex-col gap-4 p-8">
      <h1>Start</h1>
      <Link href="/about?tab=2">About</Link>
      <button onClick={() => router.push("/shop/hats")}>Hats</button>
      <button onClick={() => console.log("counted %d hats", 3, { size: "L", tags: ["new"] })}>Count</button>
      <button onClick={() => console.warn("few hats left")}>Warn</button>
      <button onClick={() => { throw new RangeError("no more hats"); }}>Throw</button>
      <button onClick={() => void fetch("/api/hats", { method: "POST" })}>Order</button>
      <button onClick={() => { for (let hat = 0; hat < 1500; hat++) console.log("hat " + hat); }}>Flood</button>
    </main>
  );
}
`;
const ABOUT = `export default function About() {
  return <h1>About us</h1>;
}
`;
const SHOP = `export default async function Shop({ params }: { params: Promise<{ what: string }> }) {
  return <h1>Shop for {(await params).what}</h1>;
}
`;
const APP = { "app/page.tsx": PAGE, "app/about/page.tsx": ABOUT, "app/shop/[what]/page.tsx": SHOP };

let model;
let server;
let browser;
let page;
let ui;
let problems;

before(async () => {
  model = await startModel((prompt, turn) => (turn > 0 ? done : write(APP)));
  server = await startServer(model.env);
  browser = await startBrowser();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, permissions: ["clipboard-read", "clipboard-write"] });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page, { previews: false });
  ui = workspace(page);
});

after(() => stopAll(browser, server, model));

const app = () => page.frames().find((frame) => /^http:\/\/3000-/.test(frame.url()));
const heading = (name) => ui.preview().getByRole("heading", { name }).waitFor();
const button = (name) => page.getByRole("button", { name, exact: true });
const address = () => page.getByRole("textbox", { name: "Address" });
const side = (name) => page.getByRole("spinbutton", { name });
const isAt = (place) => until(`the address is ${place}`, async () => (await address().inputValue()) === place);
/** The size that the app has in its frame. */
const inner = async () => app().evaluate(() => [innerWidth, innerHeight]);
const isOfSize = (...size) => until(`the frame is ${size}`, async () => String(await inner().catch(() => "")) === String(size));
const scale = async () => Number(await page.locator("[data-scale]").getAttribute("data-scale"));

/** Usable is what does what it should: before hydration a click does nothing, or loads a page. */
async function goes(role, name, to) {
  await until(`${name} leads to ${to}`, async () => {
    await ui.preview().getByRole(role, { name }).click({ timeout: 1000 }).catch(() => {});
    return ui.preview().getByRole("heading", { name: to }).isVisible();
  }, 2 * PATIENCE);
}

test("the address follows the app's own routes, and back and forward lead through them", async () => {
  await ui.start(server.url, "Build it");
  await ui.finished(1);
  await heading("Start");
  await isAt("/");
  assert.equal(await button("Back").isDisabled(), true);
  await goes("button", "Hats", "Shop for hats");
  await isAt("/shop/hats");
  await button("Back").click();
  await heading("Start");
  await isAt("/");
  await button("Forward").click();
  await heading("Shop for hats");
  await isAt("/shop/hats");
  assert.equal(await button("Forward").isDisabled(), true);
  await button("Back").click();
  await goes("link", "About", "About us");
  await isAt("/about?tab=2");
  // The builder's own page stays.
  assert.match(page.url(), /\/projects\/[0-9a-f-]{36}$/);
});

test("what opens beside the app leaves the app as it is, and dialogs lie over the page", async () => {
  await app().evaluate(() => (globalThis.kept = true));
  const versions = page.getByRole("list", { name: "Versions" });
  await page.getByRole("button", { name: "Versions", exact: true }).click();
  await versions.waitFor();
  await page.keyboard.press("Escape");
  await versions.waitFor({ state: "hidden" });
  for (const [tab, shown] of [
    ["Code", page.getByRole("tree", { name: "Files" })],
    ["Terminal", page.getByRole("tablist", { name: "Terminals" })],
    ["Preview", page.locator('iframe[title="Preview"]')],
  ]) {
    await page.getByRole("tab", { name: tab, exact: true }).click();
    await shown.waitFor();
  }
  await page.getByRole("button", { name: "Share", exact: true }).click();
  const share = page.getByRole("dialog", { name: "Share" });
  await share.getByRole("switch", { name: "Anyone with the link" }).waitFor();
  assert.ok(await share.evaluate((dialog) => dialog.matches(":modal")));
  await share.getByRole("button", { name: "Close" }).click();
  assert.equal(await app().evaluate(() => globalThis.kept), true);
});

test("a typed address opens a page of the app, and nothing else", async () => {
  await address().fill("shop/shoes");
  await address().press("Enter");
  await heading("Shop for shoes");
  await isAt("/shop/shoes");
  await address().fill(new URL("/about", app().url()).href);
  await address().press("Enter");
  await heading("About us");
  await isAt("/about");
  for (const foreign of ["https://example.com/", "javascript:alert(1)"]) {
    await address().fill(foreign);
    await address().press("Enter");
    await page.getByText("Only pages of this app open here. Type a path, such as /settings.").waitFor();
    assert.equal(await address().getAttribute("aria-invalid"), "true");
  }
  await address().press("Escape");
  await isAt("/about");
  assert.match(app().url(), /\/about$/);
});

test("the address is copied, opened in a tab, and kept by a reload", async () => {
  const url = app().url();
  await button("Copy address").click();
  await page.getByText("The address is copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), url);
  const [tab] = await Promise.all([page.waitForEvent("popup"), button("Open in a new tab").click()]);
  await tab.waitForURL(url);
  await tab.getByRole("heading", { name: "About us" }).waitFor();
  await tab.close();
  await app().evaluate(() => (window.isOld = true));
  await button("Reload").click();
  await until("the page was loaded anew", () => app().evaluate(() => document.readyState === "complete" && !window.isOld).catch(() => false));
  await isAt("/about");
});

test("the frame stands for a phone, a tablet, a laptop and any size, and the size is remembered", async () => {
  const device = page.getByRole("group", { name: "Device" });
  const pane = await inner();
  for (const [name, width, height] of [["Phone", 390, 844], ["Tablet", 768, 1024], ["Laptop", 1280, 800]]) {
    await device.getByRole("button", { name }).click();
    await isOfSize(width, height);
    assert.equal(await device.getByRole("button", { name }).getAttribute("aria-pressed"), "true");
    assert.deepEqual([await side("Width").inputValue(), await side("Height").inputValue()], [String(width), String(height)]);
    const box = await page.locator('iframe[title="Preview"]').boundingBox();
    assert.ok(Math.abs(box.width - (width * (await scale())) / 1000) < 1.5, `${name}: ${box.width}, ${await scale()}`);
    assert.equal(await page.locator("[data-scale]").textContent(), `Shown at ${Math.round((await scale()) / 10)} %`);
  }
  await button("Rotate").click();
  await isOfSize(800, 1280);
  await device.getByRole("button", { name: "Custom" }).click();
  await side("Width").fill("500");
  await side("Height").fill("612");
  await isOfSize(500, 612);
  await side("Width").fill("20");
  await page.getByText("Type a number from 200 to 4000.").waitFor();
  await side("Width").press("Tab");
  assert.equal(await side("Width").inputValue(), "500");
  await isOfSize(500, 612);

  const handle = await page.locator(".frame-handle-x").boundingBox();
  const at = [handle.x + handle.width / 2, handle.y + handle.height / 2];
  await page.mouse.move(...at);
  await page.mouse.down();
  // Over the frame, whose events are the app's.
  await page.mouse.move(at[0] - 50, at[1], { steps: 4 });
  await page.mouse.up();
  const narrower = Math.round(500 - 100_000 / (await scale()));
  await until("the drag made it narrower", async () => Math.abs((await inner())[0] - narrower) < 8);
  const dragged = await inner();

  await page.reload();
  await until("the size is there again", async () => String(await inner().catch(() => "")) === String(dragged));
  await device.getByRole("button", { name: "Full width" }).click();
  await isOfSize(...pane);
  assert.equal(await side("Width").count(), 0);
});

test("the console has the page's messages, its errors and failed requests, and the dev server's log", async () => {
  await address().fill("/");
  await address().press("Enter");
  await heading("Start");
  await button("Console").click();
  const drawer = page.getByRole("region", { name: "Console", exact: true });
  const entries = drawer.getByRole("listitem");
  const says = (text) => until(`the console says ${text}`, async () => (await entries.allInnerTexts()).some((entry) => entry.includes(text)));
  const press = (name) => ui.preview().getByRole("button", { name, exact: true }).click();
  await until("the app counts", async () => {
    await press("Count");
    return (await entries.allInnerTexts()).some((entry) => entry.includes('counted 3 hats {size: "L", tags: ["new"]}'));
  }, 2 * PATIENCE);
  await press("Warn");
  await says("few hats left");
  await press("Throw");
  await says("Uncaught RangeError: no more hats");
  await press("Order");
  await says("POST /api/hats 404");

  const only = (name) => drawer.getByRole("group", { name: "Level" }).getByRole("button", { name }).click();
  await only("Warnings");
  await until("warnings alone are shown", async () => String(await entries.locator("code").allInnerTexts()) === "few hats left");
  await only("Network");
  await until("requests alone are shown", async () => (await entries.locator("code").allInnerTexts()).every((text) => text.startsWith("POST /api/hats 404")));
  await drawer.getByRole("button", { name: "Copy all" }).click();
  await page.getByText("The console is copied.").waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^POST \/api\/hats 404/);
  await only("All");

  await drawer.getByRole("button", { name: "Dev server" }).click();
  await says("POST /api/hats 404");
  await drawer.getByRole("button", { name: "Page" }).click();
  await drawer.getByRole("button", { name: "Clear" }).click();
  await drawer.getByText("Nothing here.").waitFor();
  await press("Flood");
  await says("hat 1499");
  assert.ok((await entries.count()) <= 500, "entries are bounded");

  // Its height and that it is open are remembered.
  const border = drawer.getByRole("separator", { name: "Height of the console" });
  const height = Number(await border.getAttribute("aria-valuenow"));
  await border.press("ArrowUp");
  await page.reload();
  await until("the console is there again", async () => (await border.getAttribute("aria-valuenow").catch(() => "")) === String(height + 24));
  await drawer.getByText("Nothing here.").waitFor();
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    await press("Throw");
    await press("Warn");
    await says("few hats left");
    await assertAccessible(page, `console, ${theme}`);
    await page.screenshot({ caret: "initial", path: join(results, `preview-console-${theme}.png`) });
  }
  await button("Console").click();
  await drawer.waitFor({ state: "detached" });
});

test("what a foreign page or a hostile app sends is not believed", async () => {
  const forged = { source: "codeflow-preview", type: "console", page: "x", place: "/", entries: [{ number: 0, level: "error", text: "forged" }] };
  await page.evaluate((data) => window.postMessage(data, "*"), forged);
  await app().evaluate(() => {
    const post = (data) => window.parent.postMessage({ source: "codeflow-preview", ...data }, "*");
    post({ type: "console", page: 7, entries: [{ number: 0, level: "error", text: "no page" }] });
    post({ type: "console", page: "y", entries: [null, 5, { number: "1", level: "error", text: "no number" }, { number: 1, level: {}, text: ["x"] }] });
    post({ type: "history", back: "yes", forward: {} });
    post({ type: "picked", tag: 5, places: "none" });
    post({ type: "console", page: "y", entries: [{ number: 2, level: "odd", text: "x".repeat(1e5) }] });
  });
  await button("Console").click();
  const drawer = page.getByRole("region", { name: "Console", exact: true });
  const entry = drawer.getByRole("listitem").filter({ hasText: "xxxxx" });
  await entry.waitFor();
  assert.equal((await entry.locator("code").innerText()).length, 2000);
  assert.doesNotMatch(await drawer.innerText(), /forged|no page|no number/);
  assert.equal(await page.getByRole("region", { name: "Picked element" }).count(), 0);
  await button("Console").click();
});

test("the bar is usable and accessible at every width, in both themes", async () => {
  await page.goto(page.url());
  await heading("Start");
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      if (width === 390) await page.getByRole("button", { name: "App", exact: true }).click();
      for (const device of ["Full width", "Phone"]) {
        await button(device).click();
        for (const name of ["Back", "Reload", "Open in a new tab", "Rotate"].slice(0, device === "Phone" ? 4 : 3)) {
          const box = await button(name).boundingBox();
          assert.ok(box && box.x >= 0 && box.x + box.width <= width, `${name} at ${width}: ${JSON.stringify(box)}`);
        }
        await assertAccessible(page, `preview, ${theme}, ${width}, ${device}`);
        await page.screenshot({ caret: "initial", path: join(results, `preview-${device === "Phone" ? "phone" : "pane"}-${theme}-${width}.png`) });
      }
    }
  }
  // What the app throws on purpose counts as the page's, too.
  assert.deepEqual(problems.filter((problem) => !problem.includes("no more hats")), []);
});
