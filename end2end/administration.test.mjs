// Administration as administrators meet it: its pages on every width and in both themes, by mouse and keyboard, with scripts and without.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { WIDTHS, assertFits } from "./accessible.mjs";
import { PASSWORD } from "./people.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { PATIENCE, binary, data, results, startBrowser, startServer } from "./server.mjs";
import { watchConsole } from "./workspace.mjs";

const PAGES = ["/admin/runs", "/admin/users", "/admin/projects", "/admin/sandboxes", "/admin/models", "/admin/data", "/admin/data?table=users", "/admin/audit"];
const pictures = join(results, "administration");
mkdirSync(pictures, { recursive: true });

let server;
let browser;
/** The administrator's and a user's cookies, for windows of their own. */
let boss;
let ada;

before(async () => {
  server = await startServer({ AUTH: "on" });
  browser = await startBrowser();
  ada = await signUp("ada@example.com");
  boss = await signUp("boss@example.com");
  execFileSync(binary, ["user", "set-role", "boss@example.com", "admin"], { env: { ...process.env, CODEFLOW_DATA_DIR: data } });
  await fetch(`${server.url}/api/showcase/use`, { method: "POST", headers: { cookie: ada, accept: "application/json" }, body: new URLSearchParams({ slug: "quiz" }) });
});

after(() => stopAll(browser, server));

async function signUp(email) {
  const answer = await fetch(`${server.url}/api/account/sign-up`, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams({ email, password: PASSWORD }),
  });
  assert.equal(answer.status, 200);
  return answer.headers.get("set-cookie").split(";")[0];
}

/** A window in which somebody is signed in. */
async function window(cookie, width = 1024, options = {}) {
  const context = await browser.newContext({ viewport: { width, height: width < 600 ? 844 : 900 }, ...options });
  const [name, value] = cookie.split("=");
  await context.addCookies([{ name, value, url: server.url }]);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  return page;
}

async function open(page, path) {
  await page.goto(`${server.url}${path}`);
  await page.waitForLoadState("networkidle");
}

const row = (page, text) => page.getByRole("row").filter({ hasText: text });

test("the pages of administration fit every width, in both themes, and are accessible", async () => {
  const page = await window(boss, WIDTHS[0]);
  const problems = watchConsole(page);
  for (const path of PAGES) {
    await open(page, path);
    const current = page.getByRole("navigation", { name: "Administration" }).locator("[aria-current=page]");
    assert.equal(await current.getAttribute("href"), path.split("?")[0]);
    for (const summary of await page.locator("summary").all()) await summary.click();
    await assertFits(page, path, join(pictures, path.replaceAll(/\W/g, "")));
  }
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a plan is set, a link is made and copied, and all of it is found in the log", async () => {
  const page = await window(boss);
  const problems = watchConsole(page);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page, "/admin/users");
  await page.getByRole("searchbox", { name: "Search" }).fill("ADA");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.waitForURL(/search=ADA/);
  const manage = async () => {
    await page.waitForLoadState("networkidle");
    await row(page, "ada@example.com").getByText("Manage").click();
  };
  await manage();
  await page.getByRole("combobox", { name: "Plan of ada@example.com" }).selectOption("pro");
  await page.getByRole("button", { name: "Set plan" }).click();
  await page.getByRole("status").filter({ hasText: "Plan changed." }).waitFor();
  await row(page, "ada@example.com").getByRole("cell", { name: "Pro", exact: true }).waitFor();
  await manage();
  await page.getByRole("button", { name: "Make reset link" }).click();
  const link = await page.getByRole("textbox", { name: "Link" }).inputValue();
  assert.match(link, /\/reset\?link=/);
  await page.waitForLoadState("networkidle");
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  await page.reload();
  assert.equal(await page.getByRole("textbox", { name: "Link" }).count(), 0);

  await page.getByRole("link", { name: "Audit log" }).click();
  await page.getByRole("heading", { name: "Audit log" }).waitFor();
  await row(page, "make reset link").waitFor();
  await page.getByRole("textbox", { name: "Action" }).fill("set plan");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await row(page, "ada@example.com").filter({ hasText: "UTC" }).waitFor();
  assert.equal(await page.getByRole("row").filter({ hasText: "make reset link" }).count(), 0);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("without scripts an administrator invites somebody, browses a table and is signed in as a user under a banner", async () => {
  const own = await signUp("second@example.com");
  execFileSync(binary, ["user", "set-role", "second@example.com", "admin"], { env: { ...process.env, CODEFLOW_DATA_DIR: data } });
  const page = await window(own, 1024, { javaScriptEnabled: false });
  await page.goto(`${server.url}/admin/users`);
  await page.getByRole("button", { name: "Make invitation" }).click();
  assert.match(await page.getByRole("textbox", { name: "Link" }).inputValue(), /\/sign-up\?link=/);
  await page.getByRole("list", { name: "Open invitations" }).getByRole("button", { name: "Revoke" }).click();
  await page.getByText("No invitation is open.").waitFor();
  await page.getByRole("link", { name: "Data", exact: true }).click();
  await page.getByRole("link", { name: "users", exact: true }).click();
  await page.getByRole("combobox", { name: "Column" }).selectOption("email");
  await page.getByRole("textbox", { name: "Value" }).fill("ada");
  await page.getByRole("button", { name: "Filter" }).click();
  assert.equal(await page.getByRole("row").count(), 2);
  await page.getByText("Left out as secret: password_hash").waitFor();

  await page.goto(`${server.url}/admin/users?search=ada@example.com`);
  await row(page, "ada@example.com").getByText("Manage").click();
  await page.getByRole("button", { name: "Sign in as" }).click();
  const banner = page.getByRole("complementary", { name: "Signed in as somebody else" });
  await banner.getByText("You are signed in as ada@example.com").waitFor();
  assert.equal((await page.goto(`${server.url}/admin/users`)).status(), 404);
  await page.goto(`${server.url}/settings`);
  await banner.getByRole("button", { name: "End" }).click();
  await page.getByRole("link", { name: "Sign in" }).first().waitFor();
  assert.equal(await banner.count(), 0);
  await page.context().close();
});

test("who is no administrator sees no way there, and nothing there", async () => {
  const page = await window(ada);
  const problems = watchConsole(page);
  await open(page, "/");
  assert.equal(await page.locator('a[href^="/admin"]').count(), 0);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search commands" }).fill("Runs");
  await page.getByText("Nothing matches.").waitFor();
  assert.deepEqual(problems, []);
  for (const path of PAGES) assert.equal((await page.goto(`${server.url}${path}`)).status(), 404, path);
  await page.context().close();
});
