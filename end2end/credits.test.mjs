// Credits as people meet them: a first app, no credits for the second message, a plan that an administrator gives, and on it goes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { assertFits } from "./accessible.mjs";
import { PASSWORD } from "./people.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { binary, data, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const EMAIL = "ada@example.com";
const PROMPT = "Build me a todo app with dark mode";
const MORE = "Add due dates";
const pictures = join(results, "credits");
mkdirSync(pictures, { recursive: true });

let server;
let browser;

before(async () => {
  server = await startServer({ AUTH: "on", FREE_POINTS: "1" });
  browser = await startBrowser();
});

after(() => stopAll(browser, server));

const left = (page) => page.locator("header [data-credits]").getAttribute("data-credits");
const message = (page) => page.getByRole("textbox", { name: "Message" });

/** At every width and in both themes. */
async function fits(page, path) {
  await assertFits(page, path, join(pictures, path.replaceAll(/\W/g, "") || "home"));
  await page.setViewportSize({ width: 1280, height: 900 });
}

test("a first app, no credits for more, a larger plan, and on it goes", async () => {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  const problems = watchConsole(page, { previews: false });
  const app = workspace(page);
  await page.goto(`${server.url}/sign-up`);
  await page.getByRole("textbox", { name: "Email" }).fill(EMAIL);
  await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("button", { name: "Account" }).waitFor();
  assert.equal(await left(page), "1");
  await page.getByText(/Costs 1 of your 1 credits. Next refill: \d+ \w+ \d{4}/).waitFor();

  await app.start(server.url, PROMPT);
  await until("the credit is spent", async () => (await left(page)) === "0");
  await app.finished(1);
  await message(page).fill(MORE);
  await page.getByRole("button", { name: "Send" }).click();
  const alert = page.getByRole("alert").filter({ hasText: "out of credits" });
  await alert.waitFor();
  assert.match(await alert.innerText(), /next refill is on \d+ \w+ \d{4}/);
  assert.equal(await message(page).inputValue(), MORE);
  assert.equal(await app.runs().count(), 1);
  await fits(page, "/projects");
  await alert.getByRole("link", { name: "See the plans" }).click();
  const plan = (name) => page.getByRole("region", { name });
  await plan("Free").getByText("Current plan").waitFor();
  await plan("Pro").getByText("Ask the administrator").waitFor();
  await fits(page, "/pricing");

  await page.goto(`${server.url}/usage`);
  await page.getByRole("heading", { name: "0 credits left" }).waitFor();
  await page.getByRole("img", { name: /^Runs, by day, the last 30 days: 1/ }).waitFor();
  await page.getByText("As a table").click();
  await page.getByRole("columnheader", { name: "Day" }).waitFor();
  await fits(page, "/usage");

  const said = execFileSync(binary, ["user", "set-plan", EMAIL, "pro"], { env: { ...process.env, CODEFLOW_DATA_DIR: data, FREE_POINTS: "1" }, encoding: "utf8" });
  assert.match(said, /has the plan pro/);
  await page.goto(`${server.url}/pricing`);
  await plan("Pro").getByText("Current plan").waitFor();
  assert.equal(await left(page), "99");
  await page.goto(server.url);
  await fits(page, "/");
  await page.getByRole("link", { name: /todo/i }).first().click();
  await app.run(1).waitFor();
  await message(page).fill(MORE);
  await page.getByRole("button", { name: "Send" }).click();
  await until("the message is sent", async () => (await app.runs().count()) === 2);
  await until("it is paid", async () => (await left(page)) === "98");
  await app.finished(2);
  // The refusal is the browser's own line.
  assert.deepEqual(problems.filter((problem) => !/status of 429/.test(problem)), []);
  await page.context().close();
});

test("without scripts the refusal leads to the plans as well", async () => {
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await page.goto(`${server.url}/sign-up`);
  await page.getByRole("textbox", { name: "Email" }).fill("plain@example.com");
  await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  const describe = page.getByRole("textbox", { name: "Describe the app you want to build" });
  await describe.fill(PROMPT);
  await page.getByRole("button", { name: "Start Creating" }).click();
  await page.waitForURL(/\/projects\//);
  await page.goto(server.url);
  await describe.fill(PROMPT);
  await page.getByRole("button", { name: "Start Creating" }).click();
  const alert = page.getByRole("alert").filter({ hasText: "out of credits" });
  await alert.getByRole("link", { name: "See the plans" }).click();
  await page.getByRole("heading", { name: "Pricing" }).waitFor();
  await page.context().close();
});
