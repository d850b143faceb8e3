// An image goes with a prompt: picked, pasted or dropped, shown in the conversation, and described to the model.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, say, startModel, text, write } from "./model.mjs";
import { PATIENCE, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const SPEC = "## Purpose\nA drawing of a page with two boxes.";

let model;
let server;
let browser;
let page;
let problems;
let ui;
let sketch;

before(async () => {
  model = await startModel(
    (_, turn) => (turn > 0 ? done : write({ "app/page.tsx": "export default function Page() {\n  return <h1>Two boxes</h1>;\n}\n" })),
    (request) => say(request.messages.some((message) => Array.isArray(message.content)) ? SPEC : "Scripted app"),
  );
  server = await startServer(model.env);
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page);
  ui = workspace(page);
  const drawing = await browser.newPage({ viewport: { width: 640, height: 400 } });
  await drawing.setContent('<body style="margin:0;background:linear-gradient(120deg,#c7d2fe,#fde68a);font:48px sans-serif;padding:60px">A sketch');
  sketch = await drawing.screenshot();
  await drawing.close();
});

after(() => stopAll(browser, server, model));

const attach = () => page.getByRole("button", { name: "Attach an image" });
const chip = () => page.getByRole("img", { name: "The attached image", exact: true });
const inLog = () => ui.log().getByRole("img", { name: "The image attached to this message" });
const home = () => page.getByRole("textbox", { name: "Describe the app you want to build" });

async function pick(file) {
  const chooser = page.waitForEvent("filechooser");
  await attach().click();
  await (await chooser).setFiles(file);
}

/** Does with a file what a person would do with the mouse or the keyboard: `paste`, `dragover` or `drop`. */
const hand = (kind, { type = "image/png", words = "" } = {}) =>
  page.evaluate(
    ([kind, bytes, type, words]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "image.png", { type }));
      if (words) data.setData("text/plain", words);
      const options = { bubbles: true, cancelable: true };
      const event = kind === "paste" ? new ClipboardEvent(kind, { ...options, clipboardData: data }) : new DragEvent(kind, { ...options, dataTransfer: data });
      document.querySelector("textarea").dispatchEvent(event);
      return event.defaultPrevented;
    },
    [kind, [...sketch], type, words],
  );

/** The images as they are seen: those that were loaded. */
const seen = (images) => images.evaluateAll((all) => all.map((image) => image.complete && image.naturalWidth));

test("what can't be attached is refused in plain words, and the text stays", async () => {
  await page.goto(server.url);
  await home().fill("Build what I drew");
  await pick({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no image") });
  await page.getByText("Only PNG, JPEG and WebP images can be attached.").waitFor();
  await pick({ name: "large.png", mimeType: "image/png", buffer: Buffer.alloc((10 << 20) + 1) });
  await page.getByText("larger than 10 MB").waitFor();
  // What only the server can find out.
  await pick({ name: "script.png", mimeType: "image/png", buffer: Buffer.from("<script>alert(1)</script>") });
  await page.getByText("Only PNG, JPEG and WebP images can be attached.").waitFor();
  await pick({ name: "half.png", mimeType: "image/png", buffer: sketch.subarray(0, sketch.length / 2) });
  await page.getByText("That image is damaged").waitFor();
  assert.equal(await home().inputValue(), "Build what I drew");
  // The browser notes the two refusals.
  assert.equal(problems.splice(0).length, 2);
});

test("a picked image is shown, can be removed, and goes with the prompt", async () => {
  await pick({ name: "sketch.png", mimeType: "image/png", buffer: sketch });
  await until("the chip shows the image", async () => (await seen(chip()))[0] > 0);
  assert.equal(await page.getByText("That image is damaged").count(), 0);
  for (const [scheme, size] of [["light", { width: 1280, height: 800 }], ["dark", { width: 1280, height: 800 }], ["light", { width: 390, height: 844 }]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(size);
    await page.screenshot({ caret: "initial", path: join(results, `image-home-${scheme}-${size.width}.png`) });
    const field = await page.locator("form").boundingBox();
    const start = await page.getByRole("button", { name: "Start Creating" }).boundingBox();
    assert.ok(start.x + start.width <= field.x + field.width, "everything is within the field");
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByRole("button", { name: "Remove image" }).click();
  await attach().waitFor();
  assert.equal(await chip().count(), 0);
  await pick({ name: "sketch.png", mimeType: "image/png", buffer: sketch });
  await chip().waitFor();
  await page.getByRole("button", { name: "Start Creating" }).click();
  await page.waitForURL(/\/projects\//);
  await until("the conversation shows the image", async () => (await seen(inLog()))[0] > 0);
  await ui.finished(1);
  await ui.log().getByText("Looked at").click();
  await ui.log().getByText("A drawing of a page with two boxes.").waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "image-chat.png") });
  const [look] = model.requests.filter((request) => Array.isArray(request.messages.at(-1).content));
  assert.match(look.messages.at(-1).content[1].image_url.url, /^data:image\/png;base64,iVBOR/);
  const prompt = text(model.requests.find((request) => request.tools).messages.at(-1));
  assert.ok(prompt.includes(SPEC) && prompt.endsWith("\n\nBuild what I drew"), prompt);

  await page.reload();
  await until("the image is there after a reload", async () => (await seen(inLog()))[0] > 0);
  const opened = page.context().waitForEvent("page");
  await inLog().click();
  const large = await opened;
  await large.waitForLoadState();
  assert.match(large.url(), /\/api\/images\/[0-9a-f]{64}$/);
  await large.close();
});

test("an image is pasted or dropped into a message", async () => {
  await attach().waitFor();
  assert.equal(await hand("paste"), true);
  await chip().waitFor();
  await page.getByRole("button", { name: "Remove image" }).click();
  assert.equal(await hand("dragover"), true);
  await page.getByText("Drop the image to attach it").waitFor();
  await hand("drop");
  await chip().waitFor();
  assert.equal(await page.getByText("Drop the image to attach it").count(), 0);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ caret: "initial", path: join(results, "image-composer-390.png") });
  await page.setViewportSize({ width: 1280, height: 800 });
  await ui.send("And this on top");
  await until("both messages have their image", async () => (await seen(inLog())).filter(Boolean).length === 2);
  await attach().waitFor();
  await ui.finished(2);
  assert.deepEqual(problems, []);
});

test("text that comes with an image is pasted as text, and dropping anything but an image does nothing", async () => {
  assert.equal(await hand("paste", { words: "A table of sums" }), false, "the browser pastes it");
  assert.equal(await chip().count(), 0);
  await hand("dragover", { type: "text/plain" });
  await page.getByText("Drop the image to attach it").waitFor();
  assert.equal(await page.locator("iframe").evaluate((frame) => getComputedStyle(frame).pointerEvents), "none", "the frame lets go");
  assert.equal(await hand("drop", { type: "text/plain" }), true, "the browser does not open it");
  await page.getByText("Only PNG, JPEG and WebP images can be attached.").waitFor();
  assert.equal(await page.getByText("Drop the image to attach it").count(), 0);
  assert.equal(await chip().count(), 0);
});

test("a message waits for its image, and says so until it is there", async () => {
  let arrive;
  const arrived = new Promise((go) => (arrive = go));
  await page.route("**/api/images", async (route) => {
    await arrived;
    await route.continue();
  });
  await page.getByRole("textbox", { name: "Message" }).fill("Closer to my sketch");
  await hand("paste");
  await page.getByText("Uploading").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("The image is still uploading.").waitFor();
  arrive();
  await chip().waitFor();
  await page.getByText("The image is still uploading.").waitFor({ state: "detached" });
  await page.unroute("**/api/images");
  assert.equal(await ui.runs().count(), 2, "nothing was sent");
  // One that is refused does not take the good one away.
  const good = await chip().getAttribute("src");
  const half = { name: "half.png", mimeType: "image/png", buffer: sketch.subarray(0, sketch.length / 2) };
  await page.locator("input[type=file]").setInputFiles(half);
  await page.getByText("That image is damaged").waitFor();
  assert.equal(await chip().getAttribute("src"), good);
  assert.equal(problems.splice(0).length, 1);
});

test("a message that could not be sent stays, with its image, and is sent the next time", async () => {
  await page.route("**/api/messages/send", (route) => route.abort());
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("form").getByRole("alert").waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Message" }).inputValue(), "Closer to my sketch");
  await chip().waitFor();
  await page.unroute("**/api/messages/send");
  problems.splice(0);
  // What is written while it is sent stays; the image was sent.
  let answer;
  const answered = new Promise((go) => (answer = go));
  await page.route("**/api/messages/send", async (route) => {
    const response = await route.fetch();
    await answered;
    await route.fulfill({ response });
  });
  await page.getByRole("button", { name: "Send" }).click();
  await until("three messages have their image", async () => (await seen(inLog())).filter(Boolean).length === 3);
  await page.getByRole("textbox", { name: "Message" }).fill("And then");
  answer();
  await attach().waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Message" }).inputValue(), "And then");
  await page.unroute("**/api/messages/send");
  await ui.finished(3);
  assert.deepEqual(problems, []);
});

test("the demo says that it can't look at images, and goes on", async () => {
  await server.stop();
  server = await startServer();
  await page.goto(server.url);
  await attach().waitFor();
  await home().fill("Build me a todo app with dark mode");
  await pick({ name: "sketch.png", mimeType: "image/png", buffer: sketch });
  await chip().waitFor();
  await page.getByRole("button", { name: "Start Creating" }).click();
  await page.waitForURL(/\/projects\//);
  await ui.log().getByText("The demo can't look at images").waitFor();
  await until("the recorded build plays", async () => (await ui.log().innerText()).includes("lib/todos.ts"), 2 * PATIENCE);
  await page.screenshot({ caret: "initial", path: join(results, "image-demo.png") });
});
