// A tool of an MCP server as a person allows it: buttons in the chat, and a list where it is taken back.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible } from "./accessible.mjs";
import { call, say, startModel } from "./model.mjs";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { openTab } from "./workspace.mjs";

/** An MCP server with one tool that only reads. */
const docs = createServer(async (request, answer) => {
  let body = "";
  for await (const piece of request) body += piece;
  const { id, method, params } = body ? JSON.parse(body) : {};
  const end = (result) => answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  if (method === "initialize") return end({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "docs", version: "1" } });
  if (method === "tools/list") return end({ tools: [{ name: "search", inputSchema: { type: "object" }, annotations: { readOnlyHint: true } }] });
  if (method === "tools/call") return end({ content: [{ type: "text", text: "Found." }] });
  answer.writeHead(method ? 202 : 405).end();
});

let model;
let server;
let browser;
let tab;
let ui;
let problems;

before(async () => {
  await new Promise((resolve) => docs.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${docs.address().port}/mcp`;
  model = await startModel((prompt, turn) => (turn === 0 ? call("mcp__docs__search", {}) : say("It was found.")));
  server = await startServer({ ...model.env, MCP_SERVERS: JSON.stringify({ mcpServers: { docs: { url } } }) });
  browser = await startBrowser();
  ({ tab, problems, ui } = await openTab(browser));
});

after(async () => {
  await stopAll(browser, server, model);
  docs.close();
});

const question = "May CodeFlow use the tool search of the MCP server docs?";
const asked = (index = 0) => tab.getByRole("group", { name: question }).nth(index);
const dialog = () => tab.getByRole("dialog", { name: "Allowed tools" });

test("a tool is allowed by a button, then used without a question, and taken back", async () => {
  await tab.goto(server.url);
  await ui.mode("Ask").check();
  await tab.getByRole("textbox", { name: "Describe the app you want to build" }).fill("What is in the docs?");
  await tab.getByRole("button", { name: "Start Creating" }).click();
  await tab.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
  await ui.finished(1);
  for (const name of ["Allow once", "Always allow", "Never"]) await asked().getByRole("button", { name, exact: true }).waitFor();
  await assertAccessible(tab, "a question about a tool");
  await tab.screenshot({ caret: "initial", path: join(results, "allowed-tools.png") });
  await asked().getByRole("button", { name: "Always allow", exact: true }).click();
  await ui.finished(2);
  await tab.getByText("It was found.").waitFor();
  await until("the buttons are gone", async () => (await asked().getByRole("button").count()) === 0);
  assert.ok(await asked().getByText("Always allow").isVisible());

  await tab.getByRole("button", { name: "Allowed tools" }).click();
  await dialog().getByText("mcp__docs__search").waitFor();
  await assertAccessible(tab, "the allowed tools");
  await dialog().getByRole("button", { name: "Take back the decision about mcp__docs__search" }).click();
  await dialog().getByText("Nothing is decided yet.").waitFor();
  await dialog().getByRole("button", { name: "Close" }).click();

  await ui.send("And now?");
  await ui.finished(3);
  await asked(1).getByRole("button", { name: "Never", exact: true }).waitFor();
  assert.deepEqual(problems, []);
});
