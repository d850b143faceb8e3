// The app in the preview fails: the page says so, has it fixed, and believes nobody but the app; the app tells nobody but the page.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { done, startModel, text, write } from "./model.mjs";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { workspace } from "./workspace.mjs";

const BROKEN = `"use client";

export default function Home() {
  const lost: { name: string }[] = [];
  const lose = () => {
    throw new TypeError(\`\${lost[0]?.name ?? "x"} is undefined\`);
  };
  return (
    <main className="flex gap-4 p-8">
      <button onClick={lose}>Throw</button>
      <button onClick={() => void Promise.reject(new Error("nobody waits"))}>Reject</button>
      <button onClick={() => console.error("could not save %s", "the note", { status: 500 })}>Log</button>
    </main>
  );
}
`;
const FIXED = `export default function Home() {
  return <h1>Mended</h1>;
}
`;

let model;
let server;
let browser;
let page;
let ui;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (turn > 0) return done;
    return write({ "app/page.tsx": prompt.startsWith("Fix") ? FIXED : BROKEN });
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(30_000);
  ui = workspace(page);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  model?.stop();
});

const bar = () => page.getByRole("region", { name: "Errors in the app" });
const button = (name) => ui.preview().getByRole("button", { name });
const app = () => page.frames().find((frame) => /^http:\/\/3000-/.test(frame.url()));

/** Posts what an app would, from the window that `from` names: the builder's own, or a frame of another origin. */
const forge = (origin) =>
  page.evaluate(async (origin) => {
    const message = { source: "codeflow-preview", type: "errors", errors: [{ kind: "error", message: "forged", location: null, path: "/" }] };
    window.postMessage(message, location.origin);
    const frame = document.createElement("iframe");
    frame.src = `${origin}/forger`;
    document.body.append(frame);
    await new Promise((loaded) => (frame.onload = loaded));
    await new Promise((done) => setTimeout(done, 1000));
    frame.remove();
  }, origin);

test("what the app throws, rejects and logs is told under the preview", async () => {
  await ui.start(server.url, "Build a page that fails");
  await ui.finished(1);
  // Usable is what does what it should: before hydration a click does nothing.
  await until("the app throws", async () => {
    await button("Throw").click({ timeout: 1000 }).catch(() => {});
    return bar().getByText("The app reported an error").isVisible();
  }, 60_000);
  await bar().getByText("TypeError: x is undefined").waitFor();
  await bar().getByText(/at app\/page\.tsx:6:\d+ \(page \/\)/).waitFor();
  await button("Reject").click();
  await button("Log").click();
  await bar().getByText("The app reported 3 errors").waitFor();
  assert.equal(await bar().getByRole("listitem").count(), 1);
  await page.screenshot({ path: join(results, "preview-errors.png") });
  await bar().getByRole("button", { name: "Show all 3" }).click();
  await bar().getByText('could not save the note {"status":500}').waitFor();
  await bar().getByText("Error: nobody waits").waitFor();
  await button("Throw").click();
  assert.equal(await bar().getByRole("listitem").count(), 3, "the same error is there once");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: join(results, "preview-errors-all.png") });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "App", exact: true }).click();
  await page.screenshot({ path: join(results, "preview-errors-phone.png") });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
});

test("put aside they stay away, and a reload without them is the end of them", async () => {
  await bar().getByRole("button", { name: "Dismiss" }).click();
  await bar().getByRole("listitem").first().waitFor({ state: "detached" });
  await button("Throw").click();
  await page.waitForTimeout(700);
  assert.equal(await bar().getByRole("listitem").count(), 0);
  await page.getByRole("button", { name: "Reload the preview" }).click();
  await until("the app throws again", async () => {
    await button("Throw").click({ timeout: 1000 }).catch(() => {});
    return bar().getByText("TypeError: x is undefined").isVisible();
  });
  await page.getByRole("button", { name: "Reload the preview" }).click();
  await bar().getByRole("listitem").first().waitFor({ state: "detached" });
});

test("nobody but the app in the frame is believed", async () => {
  const forger = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<script>parent.postMessage({ source: "codeflow-preview", type: "errors", errors: [{ kind: "error", message: "forged", path: "/" }] }, "*")</script>`);
  }).listen(0, "127.0.0.1");
  await once(forger, "listening");
  await forge(`http://127.0.0.1:${forger.address().port}`);
  assert.equal(await bar().getByRole("listitem").count(), 0);
  // The app's own origin, in another window than the preview's frame.
  const popup = await page.evaluateHandle((url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
    return new Promise((loaded) => (frame.onload = () => loaded(frame)));
  }, app().url());
  const other = await popup.contentFrame();
  await other.evaluate(() =>
    parent.postMessage({ source: "codeflow-preview", type: "errors", errors: [{ kind: "error", message: "forged", path: "/" }] }, "*"),
  );
  await page.waitForTimeout(500);
  assert.equal(await bar().getByRole("listitem").count(), 0);
  await popup.evaluate((frame) => frame.remove());
  forger.close();
});

test("the app tells nobody but the builder: not a stranger that frames it, and nobody when it is opened by itself", async () => {
  const address = app().url();
  const visitor = await browser.newPage();
  // A name that is neither the builder's nor a loopback one, on this machine all the same.
  const stranger = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<script>
      window.heard = [];
      addEventListener("message", (event) => heard.push(event.data));
    </script>
    <iframe src="${address}" onload="this.contentWindow.postMessage('codeflow-builder:hello', '*')"></iframe>`);
  }).listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const other = await browser.newPage();
  await other.goto(`http://stranger.localhost:${stranger.address().port}/`);
  const framed = () => other.frames().find((frame) => frame.url() === address);
  await framed().waitForSelector("button");
  await other.waitForTimeout(1000);
  await framed().evaluate(() => setTimeout(() => { throw new Error("in private"); }));
  await other.waitForTimeout(1500);
  const dialogue = (messages) => messages.filter((message) => JSON.stringify(message).includes("codeflow-preview"));
  assert.deepEqual(dialogue(await other.evaluate(() => window.heard)), []);

  await visitor.addInitScript(() => {
    window.posted = [];
    const post = window.postMessage.bind(window);
    window.postMessage = (...words) => (window.posted.push(words[0]), post(...words));
  });
  await visitor.goto(address);
  await visitor.getByRole("button", { name: "Throw" }).click();
  await visitor.evaluate(() => window.postMessage("codeflow-builder:hello", location.origin));
  await visitor.waitForTimeout(1000);
  assert.deepEqual(dialogue(await visitor.evaluate(() => window.posted)), []);
  await visitor.close();
  await other.close();
  stranger.close();
});

test("Fix sends the error to the model, and what it mends is told no more", async () => {
  await until("the app throws", async () => {
    await button("Throw").click({ timeout: 1000 }).catch(() => {});
    return bar().getByText("TypeError: x is undefined").isVisible();
  });
  await bar().getByText(/at app\/page\.tsx:6:\d+/).waitFor();
  await bar().getByRole("button", { name: "Fix" }).click();
  await ui.log().getByText("Fix this error in the app:").waitFor();
  await ui.finished(2);
  await ui.preview().getByRole("heading", { name: "Mended" }).waitFor();
  const prompts = model.requests.filter((request) => request.tools).map((request) => text(request.messages.findLast(({ role }) => role === "user")));
  assert.match(prompts.at(-1), /^Fix this error in the app:\n\n```\nTypeError: x is undefined\n {2}at app\/page\.tsx:6:\d+ \(page \/\)\n```$/);
  await page.waitForTimeout(6000);
  assert.equal(await bar().getByRole("listitem").count(), 0);
});
