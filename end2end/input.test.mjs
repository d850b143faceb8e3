// What people get wrong is answered clearly, and loses nothing.
import assert from "node:assert/strict";
import { after, before, test } from "./suite.mjs";
import { PATIENCE, startBrowser, startServer, until } from "./server.mjs";

let server;
let browser;
let page;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

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
