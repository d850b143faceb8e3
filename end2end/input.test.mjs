// What people get wrong is answered clearly, and loses nothing.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { PATIENCE, get, startBrowser, startServer, until } from "./server.mjs";
import { workspace } from "./workspace.mjs";

let server;
let browser;
let page;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
});

after(() => stopAll(browser, server));

const prompt = () => page.getByRole("textbox", { name: "Describe the app you want to build" });
const start = () => page.getByRole("button", { name: "Start Creating" });

test("an empty prompt and one that is too long are refused in the form, and the text stays", async () => {
  await page.goto(server.url);
  await page.waitForLoadState("networkidle");
  await start().click();
  await page.getByText("Describe what you want to build first.").waitFor();
  const long = "x".repeat(10_001);
  await prompt().fill(long);
  await start().click();
  await page.getByText("at most 10,000").waitFor();
  assert.equal((await prompt().inputValue()).length, long.length);
  assert.equal(new URL(page.url()).pathname, "/");
});

test("the server refuses them too, with a status and a message for the field", async () => {
  for (const text of ["   ", "x".repeat(10_001)]) {
    const answer = await fetch(`${server.url.replace("localhost", "127.0.0.1")}/api/projects/create`, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams({ prompt: text }),
    });
    assert.equal(answer.status, 400);
    const error = await answer.json();
    assert.equal(error.code, "invalid");
    assert.equal(error.field, "prompt");
  }
});

test("an unknown project and an unknown page are 404 pages", async () => {
  for (const path of ["/projects/00000000-0000-7000-8000-000000000000", "/projects/nonsense", "/no/such/page"]) {
    const answer = await page.goto(`${server.url}${path}`);
    assert.equal(answer.status(), 404, path);
    await page.getByRole("heading", { name: /not found/i }).waitFor();
  }
});

test("another origin, such as a generated app, can't use the API", async () => {
  const answer = await fetch(`${server.url.replace("localhost", "127.0.0.1")}/api/projects/create`, {
    method: "POST",
    headers: { origin: "http://3000-iabc.localhost:3000" },
    body: new URLSearchParams({ prompt: "Build me a todo app" }),
  });
  assert.equal(answer.status, 403);
  assert.equal((await answer.json()).code, "forbidden");
});

test("the feed closes with a reason when it is asked nonsense", async () => {
  await page.goto(server.url);
  const close = (path, frame) =>
    page.evaluate(
      ([path, frame]) =>
        new Promise((closed) => {
          const socket = new WebSocket(`${location.origin.replace("http", "ws")}${path}`);
          if (frame) socket.onopen = () => socket.send(frame);
          socket.onclose = (event) => closed({ code: event.code, reason: event.reason });
        }),
      [path, frame],
    );
  const unknown = await close("/ws/projects/00000000-0000-7000-8000-000000000000?after=0");
  assert.match(unknown.reason, /no such project/);
  const after = await close("/ws/projects/00000000-0000-7000-8000-000000000000?after=yesterday");
  assert.match(after.reason, /not a sequence number/);
});

test("what is sent again because its answer was lost counts once, and what is sent anew counts anew", async () => {
  const ui = workspace(page);
  const keyOf = (request) => request.headers()["idempotency-key"];
  /** Presses a button twice; the server has the first order, but the browser does not hear of it. Returns the keys of both. */
  const twice = async (path, button) => {
    const keys = [];
    const lose = async (route) => {
      keys.push(keyOf(route.request()));
      await route.fetch({ maxRedirects: 0 });
      await route.abort();
    };
    await page.route(path, lose, { times: 1 });
    await button.click();
    await page.locator("form").getByRole("alert").waitFor();
    const again = page.waitForRequest(path);
    await button.click();
    return [...keys, keyOf(await again)];
  };
  const projects = async () => (await get(server, "/api/projects/list")).length;
  const before = await projects();
  await page.goto(server.url);
  await page.waitForLoadState("networkidle");
  await ui.mode("Ask").check();
  await prompt().fill("What is this?");
  const [first, again] = await twice("**/api/projects/create", start());
  assert.ok(first && first === again, `${first}, then ${again}`);
  await page.waitForURL(/\/projects\//);
  assert.equal(await projects(), before + 1);

  const project = page.url().split("/").at(-1);
  const messages = async () => (await get(server, "/api/projects/workspace", { project })).messages.filter(({ role }) => role === "user").length;
  await page.waitForLoadState("networkidle");
  const field = page.getByRole("textbox", { name: "Message" });
  await field.fill("And what else?");
  const [second, repeated] = await twice("**/api/messages/send", page.getByRole("button", { name: "Send" }));
  assert.ok(second && second === repeated && second !== first, `${second}, then ${repeated}`);
  await until("the field is empty", async () => (await field.inputValue()) === "");
  assert.equal(await messages(), 2);
  // The same words once more are another message.
  const third = page.waitForRequest("**/api/messages/send");
  await ui.send("And what else?");
  assert.notEqual(keyOf(await third), second);
  await until("it is there too", async () => (await messages()) === 3);
});

test("the prompt is sent with Ctrl+Enter", async () => {
  await page.goto(server.url);
  await page.waitForLoadState("networkidle");
  await prompt().fill("Build me a todo app with dark mode");
  await prompt().press("Control+Enter");
  await page.waitForURL(/\/projects\//);
  await until("the prompt is in the conversation", async () =>
    (await page.getByRole("log").innerText()).includes("Build me a todo app with dark mode"),
  );
});
