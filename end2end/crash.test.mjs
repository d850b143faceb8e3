// The server dies (SIGKILL) while somebody types in the editor, and is started again: what was shown as saved is there, and what was not
// is still in the page, also after a reload, and gets saved.
import assert from "node:assert/strict";
import { after, before, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { crash, startAgain, startBrowser, startServer, until } from "./server.mjs";
import { openTab } from "./workspace.mjs";

const LIMIT = { timeout: 480_000 };
const PATH = "notes.md";

let model;
let server;
let browser;
let tab;
let address;

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
});

after(async () => {
  await browser?.close();
  await server?.stop();
  model?.stop();
});

const editor = () => tab.getByRole("textbox", { name: "Editor" });
const text = () => editor().evaluate((content) => [...content.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n"));
const status = () => tab.getByRole("region", { name: "File", exact: true }).getByRole("status").innerText();
const says = (words) => until(`the editor says ${words}`, async () => (await status()) === words);

async function onServer() {
  const project = new URL(address).pathname.split("/").at(-1);
  const answer = await fetch(`${server.url.replace("localhost", "127.0.0.1")}/api/files/read?project=${project}&path=${PATH}&plain=true`);
  return (await answer.json()).text;
}

/** Types until the text is saved, types on, and ends the server meanwhile; what was shown as saved, and all that was typed. */
async function crashWhileTyping(round) {
  await tab.goto(`${address}?file=${PATH}`);
  await editor().waitFor();
  await editor().click();
  await tab.keyboard.press("ControlOrMeta+End");
  await tab.keyboard.type(`Round ${round}: `);
  await says("Saved");
  const noted = await text();
  await tab.keyboard.type("typed before, ");
  await crash(server);
  await tab.keyboard.type("typed after, ");
  await says("Unsaved");
  await tab.keyboard.type("typed last.");
  const typed = await text();
  assert.ok(typed.startsWith(noted) && typed.endsWith("typed before, typed after, typed last."), typed);
  return { noted, typed };
}

test("a page that stays open keeps what was typed, and saves it when the server is back", LIMIT, async () => {
  const { noted, typed } = await crashWhileTyping(1);
  server = await startAgain(server);
  const stored = await onServer();
  assert.ok(stored.startsWith(noted), `${JSON.stringify(stored)} lacks of what was shown as saved: ${JSON.stringify(noted)}`);
  assert.equal(await text(), typed);
  await says("Saved");
  assert.equal(await text(), typed);
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
  await until("the text is there again", async () => (await text().catch(() => "")) === typed);
  await tab.unroute("**/api/files/write");
  await says("Saved");
  assert.equal(await text(), typed);
  assert.equal(await onServer(), typed);
});
