// Passkeys with Chromium's virtual authenticator: added in the settings, used to sign in, cancelled, renamed, removed, and not offered where
// a browser has none.
import assert from "node:assert/strict";
import { assertAccessible } from "./accessible.mjs";
import { PASSWORD, person, signUp } from "./people.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { startBrowser, startServer, until } from "./server.mjs";
import { watchConsole } from "./workspace.mjs";

let server;
let browser;

before(async () => {
  server = await startServer({ AUTH: "on" });
  browser = await startBrowser();
});

after(() => stopAll(browser, server));

async function open(page, path) {
  await page.goto(`${server.url}${path}`);
  await page.waitForLoadState("networkidle");
}

const field = (page, name) => page.getByRole("textbox", { name, exact: true });
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** A device that holds passkeys and knows its owner, as long as the page is open. */
async function withAuthenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", { options });
  return { credentials: async () => (await session.send("WebAuthn.getCredentials", { authenticatorId })).credentials };
}

async function signOut(page) {
  await button(page, "Account").click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).first().waitFor();
}

test("a passkey is added, signs in to where one wanted to go, is renamed, removed, and then refused", async () => {
  const page = await person(browser);
  const problems = watchConsole(page);
  const device = await withAuthenticator(page);
  await open(page, "/sign-up");
  await signUp(page, "ada@example.com");
  await button(page, "Account").waitFor();
  await open(page, "/settings");
  await page.getByText("There are no passkeys yet.").waitFor();
  await button(page, "Add a passkey").click();
  await until("the name has the focus", () => page.evaluate(() => document.activeElement?.id === "field-passkey-name"));
  await field(page, "Passkey name").fill("Laptop");
  await field(page, "Your password").fill("not the password");
  await button(page, "Create passkey").click();
  await page.getByRole("alert").filter({ hasText: "not the account's password" }).waitFor();
  assert.equal((await device.credentials()).length, 0);
  await field(page, "Your password").fill(PASSWORD);
  await assertAccessible(page, "the settings while a passkey is added");
  await button(page, "Create passkey").click();
  const rows = page.getByRole("list", { name: "Passkeys" }).getByRole("listitem");
  await rows.filter({ hasText: "Laptop" }).filter({ hasText: "never used" }).waitFor();
  const [credential] = await device.credentials();
  assert.equal(credential.rpId, "localhost");
  assert.ok(credential.isResidentCredential);
  await assertAccessible(page, "the settings with a passkey");

  // The same device doesn't take a second one for the account.
  await button(page, "Add a passkey").click();
  await field(page, "Passkey name").fill("Again");
  await field(page, "Your password").fill(PASSWORD);
  await button(page, "Create passkey").click();
  await page.getByRole("alert").filter({ hasText: "This device has a passkey for your account already." }).waitFor();
  await button(page, "Cancel").click();

  await signOut(page);
  await open(page, "/settings");
  assert.match(page.url(), /\/sign-in\?to=/);
  await button(page, "Sign in with a passkey").waitFor();
  await assertAccessible(page, "the sign-in with a passkey");
  // Its owner cancels it: a quiet sentence.
  await page.evaluate(() => {
    navigator.credentials.get = () => {
      delete navigator.credentials.get;
      return Promise.reject(new DOMException("", "NotAllowedError"));
    };
  });
  await button(page, "Sign in with a passkey").click();
  await page.getByRole("status").filter({ hasText: "No passkey was used." }).waitFor();
  assert.equal(await page.getByRole("alert").count(), 0);
  await button(page, "Sign in with a passkey").click();
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  assert.match(page.url(), /\/settings$/);
  await rows.filter({ hasText: "Laptop" }).filter({ hasNotText: "never used" }).waitFor();

  await page.waitForLoadState("networkidle");
  await button(page, "Rename Laptop").click();
  await field(page, "Passkey name").fill("Old laptop");
  await button(page, "Rename passkey").click();
  await button(page, "Remove Old laptop").click();
  await button(page, "Remove passkey").click();
  await page.getByText("There are no passkeys yet.").waitFor();
  assert.equal((await device.credentials()).length, 1, "the device keeps its part");

  await signOut(page);
  await open(page, "/sign-in");
  await button(page, "Sign in with a passkey").click();
  await page.getByRole("alert").filter({ hasText: "This passkey signs nobody in here." }).waitFor();
  // What the server refused is all that the console reports.
  assert.deepEqual(problems.filter((problem) => !/40[01]/.test(problem)), []);
  await page.context().close();
});

test("browsers that lack passkeys, or the functions for their JSON, get by", async () => {
  const page = await person(browser);
  await page.addInitScript(() => delete globalThis.PublicKeyCredential);
  await open(page, "/sign-in");
  await until("the script came", () => page.evaluate(() => "codeflowPasskeys" in globalThis));
  assert.equal(await page.evaluate(() => globalThis.codeflowPasskeys.areThere()), false);
  assert.equal(await button(page, "Sign in with a passkey").count(), 0);
  await page.context().close();

  const older = await person(browser);
  await withAuthenticator(older);
  await older.addInitScript(() => {
    delete PublicKeyCredential.parseCreationOptionsFromJSON;
    delete PublicKeyCredential.parseRequestOptionsFromJSON;
    delete PublicKeyCredential.prototype.toJSON;
  });
  await open(older, "/sign-up");
  await signUp(older, "older@example.com");
  await button(older, "Account").waitFor();
  await open(older, "/settings");
  await button(older, "Add a passkey").click();
  await field(older, "Passkey name").fill("Key");
  await field(older, "Your password").fill(PASSWORD);
  await button(older, "Create passkey").click();
  await older.getByRole("list", { name: "Passkeys" }).getByRole("listitem").filter({ hasText: "Key" }).waitFor();
  await signOut(older);
  await open(older, "/sign-in");
  await button(older, "Sign in with a passkey").click();
  await button(older, "Account").waitFor();
  await older.context().close();
});
