// What surrounds the pages: their titles, the icons and the manifest of the installed app, the picture of a shared link, the theme at the
// first paint and in another tab, and motion for those who want less of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, stopAll, test } from "./suite.mjs";
import { preferTheme } from "./accessible.mjs";
import { PASSWORD } from "./people.mjs";
import { PATIENCE, binary, data, startBrowser, startServer, until } from "./server.mjs";

const LIMIT = { timeout: 300_000 };

let server;
let browser;
let cookie;
let project;

before(async () => {
  server = await startServer({ AUTH: "on" });
  browser = await startBrowser();
  const answer = await form("/api/account/sign-up", { email: "boss@example.com", password: PASSWORD });
  cookie = answer.headers.get("set-cookie").split(";")[0];
  execFileSync(binary, ["user", "set-role", "boss@example.com", "admin"], { env: { ...process.env, CODEFLOW_DATA_DIR: data } });
  project = await (await form("/api/showcase/use", { slug: "quiz" })).json();
});

after(() => stopAll(browser, server));

const form = (path, fields) =>
  fetch(`${server.url}${path}`, { method: "POST", headers: { accept: "application/json", ...(cookie && { cookie }) }, body: new URLSearchParams(fields) });

/** A page in a window of its own, in which the administrator is signed in unless `options.stranger` says otherwise. */
async function window({ stranger = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1024, height: 768 }, ...options });
  const [name, value] = cookie.split("=");
  if (!stranger) await context.addCookies([{ name, value, url: server.url }]);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  return page;
}

const isDark = (page) => page.evaluate(() => document.documentElement.classList.contains("dark"));

/** The width and height of a PNG file (https://www.w3.org/TR/png-3/#11IHDR). */
async function sizeOf(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  assert.equal(answer.headers.get("content-type"), "image/png", url);
  const file = Buffer.from(await answer.arrayBuffer());
  assert.equal(file.toString("latin1", 1, 4), "PNG");
  return [file.readUInt32BE(16), file.readUInt32BE(20)];
}

test("every page has a title of its own, as the server sends it and once it is alive", LIMIT, async () => {
  const titles = {
    "/": "CodeFlow",
    [`/projects/${project}`]: "Quiz · CodeFlow",
    "/projects/00000000-0000-7000-8000-000000000000": "Not found · CodeFlow",
    "/no/such/page": "Not found · CodeFlow",
    "/s/nothing": "This app is not shared · CodeFlow",
    "/settings": "Settings · CodeFlow",
    "/usage": "Usage · CodeFlow",
    "/pricing": "Pricing · CodeFlow",
    "/admin/runs": "Runs · CodeFlow",
    "/admin/users": "Users · CodeFlow",
    "/admin/projects": "Projects · CodeFlow",
    "/admin/sandboxes": "Sandboxes · CodeFlow",
    "/admin/models": "Models · CodeFlow",
    "/admin/data": "Data · CodeFlow",
    "/admin/audit": "Audit log · CodeFlow",
  };
  const entrances = { "/sign-in": "Sign in · CodeFlow", "/sign-up": "Sign up · CodeFlow", "/reset": "Reset your password · CodeFlow" };
  const [signedIn, stranger] = [await window(), await window({ stranger: true })];
  const found = {};
  for (const [page, paths] of [[signedIn, titles], [stranger, entrances]]) {
    for (const path of Object.keys(paths)) {
      const sent = await (await page.goto(`${server.url}${path}`)).text();
      await page.waitForFunction(() => "live" in document.documentElement.dataset);
      found[path] = await page.title();
      assert.equal(/<title>([^<]*)<\/title>/.exec(sent)?.[1], found[path], `${path}, as it was sent`);
    }
    await page.context().close();
  }
  assert.deepEqual(found, { ...titles, ...entrances });
});

test("the manifest and its icons, the favicon and the picture of a link are there, and as large as they say", LIMIT, async () => {
  const page = await window({ stranger: true });
  await page.goto(server.url);
  const link = (rel) => page.locator(`link[rel="${rel}"]`).evaluate((element) => element.href);
  const manifest = await fetch(await link("manifest"));
  assert.equal(manifest.status, 200);
  const { name, start_url, display, icons } = await manifest.json();
  assert.deepEqual({ name, start_url, display }, { name: "CodeFlow", start_url: "/", display: "standalone" });
  const pictures = icons.filter(({ type }) => type === "image/png");
  for (const { src, sizes } of pictures) assert.equal((await sizeOf(new URL(src, server.url))).join("x"), sizes, src);
  for (const size of ["192x192", "512x512"]) assert.ok(pictures.some(({ sizes }) => sizes === size), `Chromium installs none without ${size}`);
  assert.ok(icons.some(({ purpose }) => purpose === "maskable"));
  assert.deepEqual(await sizeOf(await link("apple-touch-icon")), [192, 192]);
  const favicon = await fetch(await link("icon"));
  assert.equal(favicon.status, 200);
  assert.match(favicon.headers.get("content-type"), /^image\/svg\+xml/);
  // As the browser itself sees it.
  const session = await page.context().newCDPSession(page);
  const { errors } = await session.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);

  const meta = (property) => page.locator(`meta[property="${property}"]`).getAttribute("content");
  assert.equal(await meta("og:site_name"), "CodeFlow");
  assert.match(await meta("og:title"), /CodeFlow/);
  assert.match(await meta("og:description"), /\w/);
  assert.equal(await meta("og:type"), "website");
  assert.match(await page.locator('meta[name="description"]').getAttribute("content"), /\w/);
  assert.equal(await page.locator('meta[name="twitter:card"]').getAttribute("content"), "summary_large_image");
  const picture = new URL(await meta("og:image"));
  assert.deepEqual(await sizeOf(new URL(picture.pathname, server.url)), [1200, 630]);
  await page.context().close();
});

test("the theme is there before anything is painted: the system's, or the one that was chosen", LIMIT, async () => {
  for (const [system, chosen, dark] of [
    ["light", null, false],
    ["dark", null, true],
    ["light", "dark", true],
    ["dark", "light", false],
  ]) {
    const page = await window({ stranger: true, colorScheme: system });
    if (chosen) {
      await page.goto(server.url);
      await preferTheme(page, chosen);
    }
    // Nothing is painted before there is a body.
    await page.addInitScript(() => {
      const observer = new MutationObserver(() => {
        if (!document.body) return;
        globalThis.darkAtFirst = document.documentElement.classList.contains("dark");
        observer.disconnect();
      });
      observer.observe(document, { childList: true, subtree: true });
    });
    await page.goto(server.url);
    const what = `${system}, ${chosen ?? "nothing"} chosen`;
    assert.equal(await page.evaluate(() => globalThis.darkAtFirst), dark, what);
    assert.equal(await isDark(page), dark, what);
    assert.equal(await page.locator('meta[name="theme-color"]').getAttribute("content"), dark ? "#111114" : "#fcfcfd", what);
    await page.context().close();
  }
});

test("another tab follows when a theme is chosen, and all follow the system when that is chosen", LIMIT, async () => {
  const page = await window({ stranger: true, colorScheme: "light" });
  const other = await page.context().newPage();
  for (const tab of [page, other]) await tab.goto(server.url);
  await page.waitForLoadState("networkidle");
  const choose = async (name) => {
    await page.getByRole("button", { name: "Theme" }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  await choose("Dark");
  for (const tab of [page, other]) await until("it is dark", () => isDark(tab));
  await choose("System");
  for (const tab of [page, other]) await until("it is light", async () => !(await isDark(tab)));
  for (const tab of [page, other]) {
    await tab.emulateMedia({ colorScheme: "dark" });
    await until("it is dark", () => isDark(tab));
  }
  await page.context().close();
});

/** Lets requests for this wait until what is returned is called. */
async function hold(page, address) {
  let release;
  const held = new Promise((done) => (release = done));
  await page.route(address, async (route) => {
    await held;
    await route.continue().catch(() => null);
  });
  return release;
}

/** What shows that something is under way moves, and for those who want less motion it does not. */
async function assertStill(page, shown, what) {
  await shown.first().waitFor({ state: "attached" });
  // The classes of what moves.
  const moving = () =>
    page.evaluate(() => {
      const running = document.getAnimations().filter((each) => each.playState === "running" && each.effect.getComputedTiming().duration > 0);
      return running.map(({ effect }) => effect.target.className);
    });
  assert.notDeepEqual(await moving(), [], `${what} moves at all`);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await until(`${what} keeps still`, async () => (await moving()).length === 0, 3_000).catch(async () => assert.deepEqual(await moving(), [], what));
  await page.emulateMedia({ reducedMotion: "no-preference" });
}

test("for those who want less motion a spinner keeps still", LIMIT, async () => {
  const page = await window();
  await page.goto(server.url);
  await page.waitForLoadState("networkidle");
  const release = await hold(page, "**/api/projects/create");
  await page.getByRole("textbox", { name: "Describe the app you want to build" }).fill("A quiz about capitals");
  await page.keyboard.press("Enter");
  await assertStill(page, page.locator(".animate-spin"), "the spinner");
  await page.unrouteAll({ behavior: "ignoreErrors" });
  release();
  await page.context().close();
});

test("for those who want less motion the shapes of what is being loaded keep still", LIMIT, async () => {
  const page = await window();
  await page.goto(`${server.url}/projects/${project}`);
  await page.waitForLoadState("networkidle");
  const release = await hold(page, /\/api\/(versions\/list|shares\/get|files\/list)/);
  const shapes = page.locator("[aria-busy=true] [aria-hidden=true]");
  await page.getByRole("button", { name: "Versions", exact: true }).click();
  await assertStill(page, shapes, "the list of versions");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await assertStill(page, shapes, "the dialog Share");
  await page.unrouteAll({ behavior: "ignoreErrors" });
  release();
  await page.context().close();
});
