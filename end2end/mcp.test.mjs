// The official MCP SDK's client, unmodified, against `/mcp`, with a token that is made and revoked in the settings.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { done, startModel, write } from "./model.mjs";
import { person, signUp } from "./people.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole } from "./workspace.mjs";

const pictures = join(results, "mcp");
mkdirSync(pictures, { recursive: true });

let model;
let server;
let browser;
let page;
let problems;
let token;

before(async () => {
  model = await startModel((prompt, turn) => {
    const words = prompt.startsWith("More") ? "Two" : "One";
    return turn === 0 ? write({ "app/page.tsx": `export default function Home() {\n  return <h1>${words}</h1>;\n}\n` }) : done;
  });
  server = await startServer({ ...model.env, AUTH: "on" });
  browser = await startBrowser();
  page = await person(browser, { viewport: { width: 1024, height: 900 } });
  problems = watchConsole(page);
  await page.goto(`${server.url}/sign-up`);
  await page.waitForLoadState("networkidle");
  await signUp(page, "ada@example.com");
  await page.getByRole("button", { name: "Account" }).waitFor();
});

after(() => stopAll(browser, server, model));

const section = () => page.getByRole("region", { name: "API tokens" });
const tokens = () => section().getByRole("list", { name: "API tokens" }).getByRole("listitem");

async function connect(sent = token) {
  const client = new Client({ name: "codeflow-test", version: "1.0.0" });
  const headers = sent ? { Authorization: `Bearer ${sent}` } : {};
  const address = new URL(`${server.url.replace("localhost", "127.0.0.1")}/mcp`);
  await client.connect(new StreamableHTTPClientTransport(address, { requestInit: { headers } }));
  return client;
}

/** Calls a tool; returns its structured content. */
async function call(client, name, args = {}) {
  const answer = await client.callTool({ name, arguments: args }, undefined, { timeout: 320_000 });
  assert.ok(!answer.isError, JSON.stringify(answer));
  assert.equal(answer.content[0].type, "text");
  return answer.structuredContent;
}

test("a token is made in the settings and shown once", async () => {
  await page.goto(`${server.url}/settings`);
  await page.waitForLoadState("networkidle");
  await section().getByText("There are no tokens yet.").waitFor();
  await section().getByRole("textbox", { name: "Token name" }).fill("My editor");
  await section().getByRole("combobox", { name: "Good for" }).selectOption("30 days");
  await section().getByRole("button", { name: "Create token" }).click();
  const field = section().getByRole("textbox", { name: "New token" });
  token = await field.inputValue();
  assert.match(token, /^cf_[\w-]{43}$/);
  await until("the token has the focus", () => field.evaluate((field) => document.activeElement === field));
  await section().getByText("It is not shown again.").waitFor();
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    await assertAccessible(page, `a new token, ${theme}`);
    await page.screenshot({ caret: "initial", path: join(pictures, `token-${theme}.png`), fullPage: true });
  }
  await section().getByRole("button", { name: "Done" }).click();
  await field.waitFor({ state: "detached" });
  assert.equal(await tokens().count(), 1);
  assert.match(await tokens().first().innerText(), /My editor/);
  await page.reload();
  assert.ok(!(await page.content()).includes(token));
});

test("the client lists the tools, orders a build, waits, reads its files and orders more", async () => {
  const client = await connect();
  assert.equal(client.getServerVersion().name, "codeflow");
  assert.match(client.getInstructions(), /CodeFlow builds web apps/);
  const { tools } = await client.listTools();
  const names = ["create_project", "get_project", "list_files", "list_projects", "list_versions", "read_file", "send_message", "stop_run"];
  assert.deepEqual(tools.map((tool) => tool.name).sort(), [...names, "wait_for_run"]);
  for (const tool of tools) assert.ok(tool.description.length > 20, tool.name);

  const { project } = await call(client, "create_project", { prompt: "Build a page" });
  const built = await call(client, "wait_for_run", { project, timeout_seconds: 300 });
  assert.equal(built.status, "ready", JSON.stringify(built));
  assert.equal(built.message.kind, "result");
  const { files } = await call(client, "list_files", { project });
  assert.ok(files.includes("app/page.tsx"), `${files}`);
  assert.match((await call(client, "read_file", { project, path: "app/page.tsx" })).text, /One/);

  await call(client, "send_message", { project, text: "More" });
  const changed = await call(client, "wait_for_run", { project, timeout_seconds: 300 });
  assert.equal(changed.version.number, 2, JSON.stringify(changed));
  const { versions } = await call(client, "list_versions", { project });
  assert.deepEqual(versions.map((version) => version.number), [2, 1]);
  assert.match((await call(client, "read_file", { project, path: "app/page.tsx", version: 1 })).text, /One/);
  assert.match((await call(client, "read_file", { project, path: "app/page.tsx" })).text, /Two/);
  const { projects } = await call(client, "list_projects");
  assert.deepEqual(projects.map(({ id, status }) => [id, status]), [[project, "ready"]]);
  await client.close();
});

test("what can't be done is said in words, and without a token nobody gets in", async () => {
  const client = await connect();
  const refused = await client.callTool({ name: "get_project", arguments: { project: "none" } });
  assert.equal(refused.isError, true);
  assert.equal(refused.content[0].text, "There is no such project.");
  const empty = await client.callTool({ name: "create_project", arguments: { prompt: " " } });
  assert.match(empty.content[0].text, /Describe what you want/);
  await assert.rejects(connect(""), /401|Unauthorized|token/i);

  await page.goto(`${server.url}/settings`);
  await page.waitForLoadState("networkidle");
  await section().getByRole("button", { name: "Revoke My editor" }).click();
  const dialog = page.getByRole("dialog", { name: "Revoke “My editor”?" });
  await assertAccessible(page, "revoking a token");
  await dialog.getByRole("button", { name: "Revoke token" }).click();
  await section().getByText("There are no tokens yet.").waitFor();
  await assert.rejects(client.listTools(), /401|Unauthorized|token/i);
  await client.close().catch(() => {});
  assert.deepEqual(problems, []);
});
