// Accounts as people meet them: sign up, sign in, settings, another's project; by mouse, by keyboard, without scripts, on every width.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { WIDTHS, assertAccessible, assertFits } from "./accessible.mjs";
import { PASSWORD } from "./people.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { PATIENCE, binary, data, results, startBrowser, startServer, until } from "./server.mjs";
import { tabTo, watchConsole } from "./workspace.mjs";

const pictures = join(results, "accounts");
mkdirSync(pictures, { recursive: true });

let server;
let browser;

before(async () => {
  server = await startServer({ AUTH: "on" });
  browser = await startBrowser();
});

after(() => stopAll(browser, server));

/** A window of its own, with nobody signed in. */
async function stranger(width = 1024, options = {}) {
  const context = await browser.newContext({ viewport: { width, height: width < 600 ? 844 : 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  return page;
}

async function open(page, path) {
  await page.goto(`${server.url}${path}`);
  await page.waitForLoadState("networkidle");
}

const field = (page, name) => page.getByRole("textbox", { name, exact: true });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

async function signUp(page, email) {
  await open(page, "/sign-up");
  await field(page, "Email").fill(email);
  await field(page, "Password").fill(PASSWORD);
  await press(page, "Sign up");
  await page.getByRole("button", { name: "Account" }).waitFor();
}

async function signIn(page, email, password = PASSWORD) {
  await open(page, "/sign-in");
  await field(page, "Email").fill(email);
  await field(page, "Password").fill(password);
  await press(page, "Sign in");
}

/** What `codeflow user …` prints. */
const command = (...args) => execFileSync(binary, ["user", ...args], { env: { ...process.env, CODEFLOW_DATA_DIR: data } }).toString().trim();

/** The code of the base 32 secret, so many time steps from now (RFC 6238). */
function code(secret, steps = 0) {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", key).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** Calls a server function in the page's name. */
const call = (page, path, form) =>
  page.evaluate(
    async ([path, form]) => {
      const body = form && new URLSearchParams(form);
      const answer = await fetch(path, { method: body ? "POST" : "GET", headers: { accept: "application/json" }, body });
      return { status: answer.status, body: await answer.json() };
    },
    [path, form],
  );

test("the pages of accounts fit every width, in both themes, and are accessible", async () => {
  const page = await stranger(WIDTHS[0]);
  const problems = watchConsole(page);
  const look = async (path, name) => {
    await open(page, path);
    await assertFits(page, path, join(pictures, name + path.replaceAll(/\W/g, "")));
  };
  for (const path of ["/sign-in", "/sign-in/code", "/sign-up", "/reset", "/reset?link=x", "/confirm?link=x"]) await look(path, "");
  await signUp(page, "wide@example.com");
  for (const path of ["/settings", "/usage"]) await look(path, "in");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a model key is added, shown by its end alone, and removed after a question", async () => {
  const page = await stranger();
  const problems = watchConsole(page);
  await signUp(page, "payer@example.com");
  await open(page, "/settings");
  const row = page.getByRole("list", { name: "Model keys" }).getByRole("listitem").filter({ hasText: "Gemini" });
  await press(page, "Add Gemini key");
  await field(page, "Gemini key").fill("short");
  await press(page, "Save key");
  await page.getByRole("alert").filter({ hasText: "This is not a key" }).waitFor();
  await field(page, "Gemini key").fill("AIza-of-nobody-0123456789-wxyz");
  await press(page, "Save key");
  await row.getByText("…wxyz").waitFor();
  await assertAccessible(page, "settings with a model key");
  await page.reload();
  assert.ok(!(await page.content()).includes("AIza-of-nobody"));
  await page.waitForLoadState("networkidle");
  await press(page, "Remove Gemini key");
  await page.getByRole("button", { name: "Remove key", exact: true }).click();
  await row.getByText("No key").waitFor();
  // The form's refusal is the only thing that the console reports.
  assert.deepEqual(problems.filter((problem) => !/400/.test(problem)), []);
  await page.context().close();
});

test("one signs up, out by the menu, and in again to where one wanted to go; wrong words stay in their field", async () => {
  const page = await stranger();
  await open(page, "/sign-up");
  await field(page, "Email").fill("ada@example.com");
  await field(page, "Password").fill("password1");
  await press(page, "Sign up");
  await page.getByRole("alert").filter({ hasText: "easy to guess" }).waitFor();
  assert.equal(await field(page, "Email").inputValue(), "ada@example.com");
  await until("the wrong field has the focus", () => page.evaluate(() => document.activeElement?.name === "password"));
  await field(page, "Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).first().waitFor();

  await open(page, "/settings");
  assert.match(page.url(), /\/sign-in\?to=/);
  await field(page, "Email").fill("ada@example.com");
  await field(page, "Password").fill("another one entirely");
  await press(page, "Sign in");
  await page.getByRole("alert").filter({ hasText: "The e-mail address or the password is wrong." }).waitFor();
  await field(page, "Password").fill(PASSWORD);
  await press(page, "Sign in");
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  assert.match(page.url(), /\/settings$/);

  const other = await stranger();
  await signIn(other, "ADA@example.com");
  await other.getByRole("button", { name: "Account" }).waitFor();
  await page.reload();
  const sessions = page.getByRole("list", { name: "Sessions" }).getByRole("listitem");
  await until("both sessions are listed", async () => (await sessions.count()) === 2);
  await press(page, "End");
  await until("one is left", async () => (await sessions.count()) === 1);
  await other.reload();
  await other.getByRole("link", { name: "Sign in" }).first().waitFor();

  await field(page, "Name").fill("Ada");
  await press(page, "Save");
  await page.getByText("Saved.").waitFor();
  await page.context().close();
  await other.context().close();
});

test("without scripts the forms work too", async () => {
  const page = await stranger(1024, { javaScriptEnabled: false });
  await page.goto(`${server.url}/sign-up?to=/settings`);
  await field(page, "Email").fill("plain@example.com");
  await field(page, "Password").fill("password1");
  await press(page, "Sign up");
  await page.getByRole("alert").filter({ hasText: "easy to guess" }).waitFor();
  await field(page, "Email").fill("plain@example.com");
  await field(page, "Password").fill(PASSWORD);
  await press(page, "Sign up");
  await page.getByText("plain@example.com").first().waitFor();
  await page.context().close();
});

test("another's project looks absent, and an account goes with all that is in it", async () => {
  const [ada, eve] = [await stranger(), await stranger()];
  await signUp(ada, "owner@example.com");
  await signUp(eve, "eve@example.com");
  const made = await call(ada, "/api/showcase/use", { slug: "quiz" });
  await open(ada, `/projects/${made.body}`);
  await ada.getByRole("textbox", { name: "Message" }).waitFor();
  const answer = await eve.goto(`${server.url}/projects/${made.body}`);
  assert.equal(answer.status(), 404);
  await open(eve, "/");
  assert.equal(await eve.getByText("Quiz").filter({ has: eve.locator("a[href^='/projects/']") }).count(), 0);

  await open(ada, "/settings");
  await press(ada, "Delete account");
  await field(ada, "Your password").fill("not the password");
  await press(ada, "Delete for ever");
  await ada.getByRole("alert").filter({ hasText: "not the account's password" }).waitFor();
  await field(ada, "Your password").fill(PASSWORD);
  await press(ada, "Delete for ever");
  await ada.getByRole("link", { name: "Sign in" }).first().waitFor();
  await open(ada, "/sign-in");
  await field(ada, "Email").fill("owner@example.com");
  await field(ada, "Password").fill(PASSWORD);
  await press(ada, "Sign in");
  await ada.getByRole("alert").waitFor();
  await ada.context().close();
  await eve.context().close();
});

test("a link sets a new password, once, and signs in", async () => {
  const page = await stranger();
  await signUp(page, "forgetful@example.com");
  await open(page, "/reset");
  await page.getByText("This CodeFlow sends no e-mail.").waitFor();
  const link = new URL(command("reset-link", "forgetful@example.com"));
  const elsewhere = await stranger();
  await open(elsewhere, link.pathname + link.search);
  await field(elsewhere, "Password").fill("password1");
  await press(elsewhere, "Set password");
  await elsewhere.getByRole("alert").filter({ hasText: "easy to guess" }).waitFor();
  await field(elsewhere, "Password").fill("quiet marble harbour nine");
  await press(elsewhere, "Set password");
  await elsewhere.getByRole("button", { name: "Account" }).waitFor();
  // The sessions before it have ended, and the link is used.
  await open(page, "/settings");
  assert.match(page.url(), /\/sign-in\?to=/);
  await open(page, link.pathname + link.search);
  await field(page, "Password").fill(PASSWORD);
  await press(page, "Set password");
  await page.getByRole("alert").filter({ hasText: "expired or was used" }).waitFor();
  await page.context().close();
  await elsewhere.context().close();
});

test("two-step sign-in is set up, asked for, helped by a recovery code, and turned off", async () => {
  const page = await stranger();
  await signUp(page, "careful@example.com");
  await open(page, "/settings");
  await press(page, "Set up two-step sign-in");
  await until("the field has the focus", () => page.evaluate(() => document.activeElement?.name === "current"));
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("img", { name: "QR code with the secret" }).waitFor();
  await page.screenshot({ caret: "initial", path: join(pictures, "two-step.png"), fullPage: true });
  await assertAccessible(page, "the set-up of two-step sign-in");
  const secret = await page.locator("code").innerText();
  await field(page, "Code").fill("000000");
  await press(page, "Turn on");
  await page.getByRole("alert").filter({ hasText: "This code is wrong" }).waitFor();
  await field(page, "Code").fill(code(secret));
  await press(page, "Turn on");
  const listed = page.getByRole("list", { name: "Recovery codes" }).getByRole("listitem");
  await listed.nth(9).waitFor();
  const codes = await listed.allInnerTexts();
  assert.equal(codes.length, 10);
  await page.screenshot({ caret: "initial", path: join(pictures, "recovery-codes.png"), fullPage: true });
  await assertAccessible(page, "the recovery codes");
  await press(page, "I have saved them");
  await page.getByText("10 recovery codes are left.").waitFor();

  const other = await stranger();
  await signIn(other, "careful@example.com");
  await other.getByRole("heading", { name: "Two-step sign-in" }).waitFor();
  await until("the field has the focus", () => other.evaluate(() => document.activeElement?.name === "code"));
  await other.screenshot({ caret: "initial", path: join(pictures, "code.png") });
  await field(other, "Code").fill("123456");
  await press(other, "Continue");
  await other.getByRole("alert").filter({ hasText: "This code is wrong" }).waitFor();
  await field(other, "Code").fill(codes[0]);
  await other.keyboard.press("Enter");
  await other.getByRole("button", { name: "Account" }).waitFor();
  await open(other, "/settings");
  await other.getByText("9 recovery codes are left.").waitFor();
  await press(other, "Turn off");
  await field(other, "Your password").fill(PASSWORD);
  await field(other, "Code").fill(code(secret, 1));
  await press(other, "Turn off two-step sign-in");
  await other.getByRole("button", { name: "Set up two-step sign-in" }).waitFor();
  await page.context().close();
  await other.context().close();
});

test("one takes a copy of one's data", async () => {
  const page = await stranger();
  await signUp(page, "collector@example.com");
  await call(page, "/api/showcase/use", { slug: "quiz" });
  await open(page, "/settings");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download your data" }).click()]);
  assert.equal(download.suggestedFilename(), "codeflow-export.zip");
  const file = readFileSync(await download.path()).toString("latin1");
  for (const name of ["account.json", "projects/001-quiz/messages.json", "projects/001-quiz/files/app/page.tsx"]) assert.ok(file.includes(name), name);
  await page.context().close();
});

test("by keyboard alone one signs up, finds the settings in the menu, changes the password, and signs out", async () => {
  const page = await stranger();
  const focused = () => page.evaluate(() => (document.activeElement.name || document.activeElement.textContent).trim());
  await open(page, "/sign-up");
  await tabTo(field(page, "Email"));
  await page.keyboard.type("keys@example.com");
  await tabTo(field(page, "Password"));
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  const account = page.getByRole("button", { name: "Account", exact: true });
  await account.waitFor();
  await page.waitForLoadState("networkidle");
  await account.focus();
  await page.keyboard.press("Enter");
  await until("the first item has the focus", async () => (await focused()) === "Settings");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  await page.waitForLoadState("networkidle");
  await field(page, "Current password").focus();
  await page.keyboard.type(PASSWORD);
  await tabTo(field(page, "New password"));
  await page.keyboard.type("quiet marble harbour nine");
  const changed = page.waitForEvent("load");
  await page.keyboard.press("Enter");
  await changed;
  await account.waitFor();
  await page.waitForLoadState("networkidle");
  await account.focus();
  await page.keyboard.press("Enter");
  await until("the first item has the focus", async () => (await focused()) === "Settings");
  await page.keyboard.press("End");
  await until("the last item has the focus", async () => (await focused()) === "Sign out");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Sign in" }).first().waitFor();
  await page.context().close();
});
