// The server dies (SIGKILL) while somebody types in the editor, and is started again: what was shown as saved is there, and what was not
// is still in the page, also after a reload, and gets saved.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { crash, readFile, startAgain, startBrowser, startServer, until } from "./server.mjs";
import { code, openTab } from "./workspace.mjs";

const LIMIT = { timeout: 480_000 };
const PATH = "notes.md";

let model;
let server;
let browser;
let tab;
let address;
let at;

before(async () => {
  model = await startModel((_, turn) =>
    turn > 0 ? done : write({ "app/page.tsx": "export default function Page() {\n  return <h1>As built</h1>;\n}\n", [PATH]: "# Notes\n" }),
  );
  server = await startServer(model.env);
  browser = await startBrowser();
  const { tab: page, ui } = await openTab(browser);
  tab = page;
  await ui.start(server.url, "Build a page");
  await ui.finished(1);
  address = tab.url();
  at = code(tab, address);
});

after(() => stopAll(browser, server, model));

const onServer = async () => (await readFile(server, new URL(address).pathname.split("/").at(-1), PATH)).text;

/** Types until the text is saved, types on, and ends the server meanwhile; what was shown as saved, and all that was typed. */
async function crashWhileTyping(round) {
  await tab.goto(`${address}?file=${PATH}`);
  await at.editor.waitFor();
  await at.editor.click();
  await tab.keyboard.press("ControlOrMeta+End");
  await tab.keyboard.type(`Round ${round}: `);
  await at.says("Saved");
  const noted = await at.text();
  await tab.keyboard.type("typed before, ");
  await crash(server);
  await tab.keyboard.type("typed after, ");
  await at.says("Unsaved");
  await tab.keyboard.type("typed last.");
  const typed = await at.text();
  assert.ok(typed.startsWith(noted) && typed.endsWith("typed before, typed after, typed last."), typed);
  return { noted, typed };
}

test("a page that stays open keeps what was typed, and saves it when the server is back", LIMIT, async () => {
  const { noted, typed } = await crashWhileTyping(1);
  server = await startAgain(server);
  const stored = await onServer();
  assert.ok(stored.startsWith(noted), `${JSON.stringify(stored)} lacks of what was shown as saved: ${JSON.stringify(noted)}`);
  assert.equal(await at.text(), typed);
  await at.says("Saved");
  assert.equal(await at.text(), typed);
  assert.equal(await onServer(), typed);
});

test("a page that is loaded anew before it could save has all that was typed, too, and saves it", LIMIT, async () => {
  const { noted, typed } = await crashWhileTyping(2);
  await tab.route("**/api/files/write", (route) => route.abort());
  server = await startAgain(server);
  const stored = await onServer();
  assert.ok(stored.startsWith(noted), `${JSON.stringify(stored)} lacks of what was shown as saved: ${JSON.stringify(noted)}`);
  assert.notEqual(stored, typed);
  await tab.reload();
  await until("the text is there again", async () => (await at.text().catch(() => "")) === typed);
  await tab.unroute("**/api/files/write");
  await at.says("Saved");
  assert.equal(await at.text(), typed);
  assert.equal(await onServer(), typed);
});
