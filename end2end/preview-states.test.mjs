// What the preview shows while there is no page of the app: that none was built yet, that its sandbox starts, that it compiles. And over a
// page: why the app was restarted. There is never a white page: either words or the app.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { done, startModel, write } from "./model.mjs";
import { KEY, PATIENCE, killSandboxes, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const LIMIT = { timeout: 300_000 };
/** A page that the server takes a while to render, each time. */
const PAGE = `export const dynamic = "force-dynamic";

export default async function Home() {
  await new Promise((rendered) => setTimeout(rendered, 3000));
  return <h1>At last</h1>;
}
`;

let model;
let server;
let browser;
let page;
let problems;
let ui;
/** Lets the model answer. */
let release;

before(async () => {
  const held = new Promise((released) => (release = released));
  model = await startModel(async (_, turn) => {
    await held;
    return turn > 0 ? done : write({ "app/page.tsx": PAGE });
  });
  server = await startServer({ ...model.env, SANDBOX_HOST_KEY: KEY });
  browser = await startBrowser();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page, { previews: false });
  ui = workspace(page);
  await page.addInitScript(watchPreview);
});

after(() => stopAll(browser, server, model));

/** In the page: notes in `seen` what the preview shows in each frame that is painted, once it is there. */
function watchPreview() {
  if (window !== top) return;
  globalThis.seen = [];
  const look = () => {
    const stage = document.querySelector(".frame-room")?.parentElement;
    // The words of a cover, or else the app's frame.
    const words = stage?.querySelector(":scope > .absolute p")?.textContent;
    const frame = stage?.querySelector("iframe");
    const shown = words || (frame && !frame.classList.contains("invisible") ? "the app" : "nothing");
    if (stage?.checkVisibility() && globalThis.seen.at(-1) !== shown) globalThis.seen.push(shown);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

const seen = () => page.evaluate(() => globalThis.seen);
const appears = (words) => until(`the preview shows ${words}`, async () => (await seen()).includes(words));

/** Pictures of what is shown, in both themes, and for what else there is to say against it. */
async function pictures(name, words) {
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    await page.screenshot({ caret: "initial", path: join(results, `preview-${name}-${theme}.png`) });
  }
  if (await page.getByText(words, { exact: true }).isVisible()) await assertAccessible(page, words, 'section[aria-label="App"]');
}

test("a project's first preview says what it waits for until the app is there, and is never white", LIMIT, async () => {
  await ui.start(server.url, "Build it");
  await appears("Your app will appear here");
  await pictures("none", "Your app will appear here");
  release();
  await appears("Compiling the app");
  await pictures("compiling", "Compiling the app");
  await ui.preview().getByRole("heading", { name: "At last" }).waitFor({ timeout: 2 * PATIENCE });
  await appears("the app");
  await ui.finished(1);
  const all = await seen();
  assert.ok(!all.includes("nothing"), all.join(", "));
  assert.deepEqual(problems, []);
});

/** The page's feed: its last frame that said that the preview is ready, and how to say something to the page. */
const feed = { ready: null, say: null };

async function listen() {
  await page.routeWebSocket(/\/ws\/projects\//, (socket) => {
    socket.connectToServer().onMessage((frame) => {
      if (/"state":"ready"/.test(frame)) feed.ready = JSON.parse(frame);
      socket.send(frame);
    });
    feed.say = (frame) => socket.send(JSON.stringify(frame));
  });
}

test("a sandbox that was lost is made again, and says so until the app is back", LIMIT, async () => {
  const address = page.url();
  await page.goto("about:blank");
  await killSandboxes(server);
  await listen();
  await page.goto(address);
  await appears("Starting the sandbox");
  await pictures("starting", "Starting the sandbox");
  await ui.preview().getByRole("heading", { name: "At last" }).waitFor({ timeout: 2 * PATIENCE });
  await appears("the app");
  const all = await seen();
  const order = ["Starting the sandbox", "Compiling the app", "the app"].map((words) => all.lastIndexOf(words));
  assert.ok(order[0] < order[1] && order[1] < order[2], all.join(", "));
  assert.ok(!all.includes("nothing"), all.join(", "));
  await page.getByText("The sandbox was lost, and the app was rebuilt").waitFor();
  assert.deepEqual(problems, []);
});

test("an app that was restarted says why over its page, until that is put aside", LIMIT, async () => {
  // How a server learns of it is tested where its sandbox really runs out of memory.
  const { event } = await until("the preview was said to be ready", () => feed.ready);
  const notice = "The app ran out of memory (2 GB) and was restarted.";
  event.kind.preview.notice = notice;
  feed.say({ frame: "event", event: { ...event, seq: event.seq + 1000 } });
  const note = page.getByRole("note", { name: "What went wrong" }).filter({ hasText: notice });
  await note.waitFor();
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    if (width < 768) await page.getByRole("button", { name: "App", exact: true }).click();
    await note.waitFor();
    await ui.preview().getByRole("heading", { name: "At last" }).waitFor();
    await pictures(`restarted-${width}`, notice);
  }
  await note.getByRole("button", { name: "Dismiss" }).click();
  await note.waitFor({ state: "detached" });
  await ui.preview().getByRole("heading", { name: "At last" }).waitFor();

  // It does not wait for the frame, whose page may take minutes on a busy machine.
  await page.route((url) => url.hostname.startsWith("3000-"), () => {});
  feed.ready = null;
  await page.reload();
  const again = await until("the preview was said to be ready again", () => feed.ready);
  again.event.kind.preview.notice = notice;
  feed.say({ frame: "event", event: { ...again.event, seq: again.event.seq + 1000 } });
  await note.waitFor();
  await page.getByText("Loading the page", { exact: true }).waitFor();
  await pictures("restarted-loading", "Loading the page");
});
