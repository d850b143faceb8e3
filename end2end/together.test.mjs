// A laptop, a wide screen and a phone on one project stay the same: through an edit, a run, a restore, a new title, a changed message, a
// reload of one of them, and one that was offline for a while.
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { PATIENCE, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 480_000 };
const page = (words) => `export default function Page() {\n  return <h1>${words}</h1>;\n}\n`;
const WORDS = { Build: "First words", Change: "Second words", Instead: "Other words", Offline: "Words from afar" };

let model;
let server;
let browser;
let laptop;
let wide;
let phone;
let address;
/** What each page reported, but for what a lost connection says. */
const problems = [];
/** The wide screen's sockets to the project's feed. */
const lines = [];

before(async () => {
  model = await startModel((prompt, turn) => (turn > 0 ? done : write({ "app/page.tsx": page(WORDS[prompt.split(" ")[0]]) })));
  server = await startServer(model.env);
  browser = await startBrowser();
  laptop = await device({ viewport: { width: 1280, height: 800 } });
  wide = await device({ viewport: { width: 1920, height: 1080 } });
  phone = await device({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await wide.routeWebSocket(/\/ws\/projects\//, (socket) => {
    lines.push(socket);
    socket.connectToServer();
  });
  await workspace(laptop).start(server.url, "Build a page");
  await workspace(laptop).finished(1);
  address = laptop.url();
  await wide.goto(address);
  await phone.goto(address);
  await tap("App");
});

after(() => stopAll(browser, server, model));

async function device(options) {
  const context = await browser.newContext(options);
  const made = await context.newPage();
  made.setDefaultTimeout(PATIENCE);
  problems.push(watchConsole(made, { previews: false }));
  return made;
}

const button = (of, name) => of.getByRole("button", { name, exact: true });
const tap = (name) => button(phone, name).tap();
const message = (of, text) => of.getByRole("log").locator(".message").filter({ hasText: text });

/** What a page shows of the project. */
async function shown(of) {
  return {
    title: await of.getByRole("heading", { level: 1 }).innerText(),
    version: (await button(of, "Versions").innerText()).trim(),
    prompts: await of.locator("div.message > [dir=auto]").allTextContents(),
    heading: await of.frameLocator('iframe[title="Preview"]').locator("h1").innerText({ timeout: 1_000 }).catch(() => null),
  };
}

/** Waits until all three show this, and the same version; its number. */
async function same(expected, of = [laptop, wide, phone]) {
  let all;
  const isSame = (one) => isDeepStrictEqual(one, { ...expected, version: all[0].version });
  const waited = until("all show the same", async () => {
    all = await Promise.all(of.map(shown));
    return all.every(isSame);
  });
  await waited.catch(() => assert.deepEqual(all, of.map(() => ({ ...expected, version: all[0].version }))));
  assert.match(all[0].version, /^v\d+$/);
  return Number(all[0].version.slice(1));
}

/** What they are to show. */
const now = { title: "Scripted app", prompts: ["Build a page"], heading: WORDS.Build };
let version;

test("a project that was opened on all three", LIMIT, async () => {
  version = await same(now);
  assert.equal(version, 1);
});

test("an edit in the editor of one", LIMIT, async () => {
  await wide.getByRole("tab", { name: "Code", exact: true }).click();
  const editor = wide.getByRole("textbox", { name: "Editor" });
  await editor.getByText(WORDS.Build).waitFor();
  await editor.click();
  await wide.keyboard.press("ControlOrMeta+A");
  await wide.keyboard.insertText(page("Edited words"));
  await wide.keyboard.press("ControlOrMeta+s");
  await wide.getByRole("tab", { name: "Preview", exact: true }).click();
  now.heading = "Edited words";
  assert.ok((await same(now)) >= version);
});

test("a run that the phone asked for", LIMIT, async () => {
  await tap("Chat");
  await phone.getByRole("textbox", { name: "Message" }).tap();
  await phone.keyboard.type("Change the words");
  await tap("Send");
  await tap("App");
  await workspace(laptop).finished(2);
  Object.assign(now, { prompts: [...now.prompts, "Change the words"], heading: WORDS.Change });
  const before = version;
  version = await same(now);
  assert.ok(version > before, "the run made a version");
});

test("a version that the laptop restored", LIMIT, async () => {
  await button(laptop, "Versions").click();
  const items = laptop.getByRole("list", { name: "Versions" }).locator(":scope > li");
  await items.last().getByRole("button", { name: "Restore" }).click();
  now.heading = WORDS.Build;
  assert.equal(await same(now), version + 1);
  version += 1;
  await laptop.keyboard.press("Escape");
  await items.first().waitFor({ state: "detached" });
});

test("a title that was given on the phone", LIMIT, async () => {
  await tap("Rename project");
  await phone.getByRole("textbox", { name: "Project title" }).fill("Three screens");
  await phone.keyboard.press("Enter");
  now.title = "Three screens";
  assert.equal(await same(now), version);
});

test("a message that was changed on the wide screen", LIMIT, async () => {
  await message(wide, "Change the words").hover();
  await message(wide, "Change the words").getByRole("button", { name: "Edit" }).click();
  await wide.getByRole("textbox", { name: "Message" }).fill("Instead of that");
  await wide.keyboard.press("Enter");
  Object.assign(now, { prompts: ["Build a page", "Instead of that"], heading: WORDS.Instead });
  await message(laptop, "Instead of that").waitFor();
  await workspace(laptop).finished(2);
  const before = version;
  version = await same(now);
  assert.ok(version > before, "nothing newer was lost");
});

test("a page of the three that was loaded anew", LIMIT, async () => {
  await phone.reload();
  await phone.waitForLoadState("networkidle");
  await tap("App");
  assert.equal(await same(now), version);
});

test("one that was offline meanwhile, which it says, and which it is not any more", LIMIT, async () => {
  assert.deepEqual(problems.flat(), []);
  await wide.context().setOffline(true);
  // Those that are open already stay so in this browser.
  await Promise.all(lines.splice(0).map((line) => line.close()));
  await wide.getByText("You are offline").waitFor();
  await wide.getByText("Reconnecting…").waitFor();
  const before = { ...now };
  await workspace(laptop).send("Offline words");
  await workspace(laptop).finished(3);
  Object.assign(now, { prompts: [...now.prompts, "Offline words"], heading: WORDS.Offline });
  const newer = await same(now, [laptop, phone]);
  assert.ok(newer > version, "the run made a version");
  assert.deepEqual((await shown(wide)).prompts, before.prompts, "it hears nothing");
  await wide.context().setOffline(false);
  await wide.getByText("Reconnecting…").waitFor({ state: "hidden" });
  await wide.getByText("You are offline").waitFor({ state: "hidden" });
  assert.equal(await same(now), newer);
});
