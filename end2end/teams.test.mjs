// Two people in one project: invited by a link, each sees that the other is there and what they send; a viewer has no way to send.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible } from "./accessible.mjs";
import { done, startModel, write } from "./model.mjs";
import { person, signUp } from "./people.mjs";
import { startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 480_000 };

let model;
let server;
let browser;
let owner;
let ada;
let problems;
let link;

before(async () => {
  model = await startModel((_, turn) =>
    turn > 0 ? done : write({ "app/page.tsx": "export default function Page() {\n  return <h1>Shared words</h1>;\n}\n" }),
  );
  server = await startServer({ ...model.env, AUTH: "on" });
  browser = await startBrowser();
});

after(() => stopAll(browser, server, model));

const newPerson = () => person(browser, { viewport: { width: 1280, height: 800 } });

const others = (page) => page.getByRole("group", { name: "Also here" }).getByRole("img");

test("the owner invites a person as an editor by a link", LIMIT, async () => {
  owner = await newPerson();
  problems = watchConsole(owner, { previews: false });
  await owner.goto(`${server.url}/sign-up`);
  await owner.waitForLoadState("networkidle");
  await signUp(owner, "owner@example.com");
  await owner.getByRole("button", { name: "Account" }).waitFor();
  const ui = workspace(owner);
  await ui.start(server.url, "Build a page with words");
  await ui.finished(1);
  await owner.getByRole("button", { name: "Share", exact: true }).click();
  const dialog = owner.getByRole("dialog", { name: "Share" });
  await dialog.getByRole("button", { name: "Copy invitation link" }).click();
  const field = dialog.getByRole("textbox", { name: "Invitation link" });
  const shown = new URL(await field.inputValue());
  assert.match(shown.pathname, /^\/invite\/[\w-]{43}$/);
  // It has PUBLIC_URL's port, and the test's server another.
  link = `${server.url}${shown.pathname}`;
  await dialog.getByRole("list", { name: "Invitations" }).getByText("Invited as editor").waitFor();
  await assertAccessible(owner, "the dialog with people");
  await owner.keyboard.press("Escape");
  assert.equal(await others(owner).count(), 0);
});

test("who is invited signs up, comes back, joins, and both see each other", LIMIT, async () => {
  ada = await newPerson();
  await ada.goto(link);
  await ada.waitForURL(/\/sign-in/);
  await ada.getByRole("link", { name: "Make one" }).click();
  await ada.waitForURL(/\/sign-up/);
  await ada.waitForLoadState("networkidle");
  await signUp(ada, "ada@example.com");
  await ada.waitForURL(link);
  await ada.waitForLoadState("networkidle");
  await assertAccessible(ada, "an invitation");
  await ada.getByRole("button", { name: "Join" }).click();
  await ada.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
  await ada.getByRole("group", { name: "Also here" }).getByRole("img", { name: "owner" }).waitFor();
  await owner.getByRole("group", { name: "Also here" }).getByRole("img", { name: "ada" }).waitFor();
});

test("what one sends the other sees at once, with the name", LIMIT, async () => {
  await ada.waitForLoadState("networkidle");
  await workspace(ada).send("Make it larger");
  const log = workspace(owner).log();
  await log.getByText("Make it larger").waitFor();
  await log.getByText("ada", { exact: true }).waitFor();
  await workspace(ada).log().getByText("You", { exact: true }).waitFor();
  await workspace(owner).finished(2);
  assert.equal(await ada.getByRole("button", { name: "Share", exact: true }).count(), 0);
});

test("as a viewer she has no Send, and removed she has no page", LIMIT, async () => {
  await owner.getByRole("button", { name: "Share", exact: true }).click();
  const members = owner.getByRole("dialog", { name: "Share" }).getByRole("list", { name: "Members" });
  await members.getByRole("combobox", { name: "Role of ada" }).selectOption("viewer");
  await ada.getByText("You are a viewer of this project").waitFor();
  assert.equal(await ada.getByRole("button", { name: "Send" }).count(), 0);
  assert.equal(await ada.getByRole("tab", { name: "Terminal" }).count(), 0);
  await assertAccessible(ada, "a viewer's workspace");
  await members.getByRole("button", { name: "Remove ada" }).click();
  await ada.getByRole("heading", { name: "Page not found" }).waitFor();
  await until("nobody else is there", async () => (await others(owner).count()) === 0);
  assert.deepEqual(problems, []);
});
