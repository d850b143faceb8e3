// The app in the preview fails: the page shows its errors, offers to fix them, and believes nobody but the app; the app speaks to nobody
// but the page.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, text, write } from "./model.mjs";
import { PATIENCE, get, post, results, startBrowser, startServer, until } from "./server.mjs";
import { workspace } from "./workspace.mjs";

const BROKEN = `"use client";
import { useState } from "react";
export default function Home() {
  const lost: { name: string }[] = [];
  const lose = () => {
    throw new TypeError(\`\${lost[0]?.name ?? "x"} is undefined\`);
  };
  const [warned, setWarned] = useState(false);
  const [stock, setStock] = useState("");
  const load = async () => {
    const answer = await fetch("/api/stock", { method: "POST" });
    if (!answer.ok) throw new Error(\`no stock: \${answer.status}\`);
    setStock(await answer.text());
  };
  const wrong = { fooBar: "x", for: "y" } as object;
  return (
    <main className="flex gap-4 p-8">
      <button onClick={lose}>Throw</button>
      <button onClick={() => void Promise.reject(new Error("nobody waits"))}>Reject</button>
      <button onClick={() => console.error("could not save %s", "the note", { status: 500 })}>Log</button>
      <button onClick={() => void load()}>Load</button>
      <button onClick={() => setWarned(true)}>Warn</button>
      <p>{stock}</p>
      {warned && <div>{["a", "a"].map((key) => <i key={key}>{key}</i>)}{[1].map(() => <b>no key</b>)}<input value="x" /></div>}
      {warned && <p><label {...wrong} /><section>in a paragraph</section></p>}
    </main>
  );
}
`;
/** Hydration fails in a frame only: what is checked before the app is called done is none. */
const ODD = `"use client";
export default function Odd() {
  const framed = typeof window !== "undefined" && window.parent !== window;
  return <h1 className={framed ? "framed" : "alone"}>Odd</h1>;
}
`;
const stock = (post) => `export const GET = () => Response.json([]);
export async function POST() {
  ${post}
}
`;
const FIXED = `export default function Home() {
  return <h1>Mended</h1>;
}
`;
const APP = {
  "app/page.tsx": BROKEN,
  "app/odd/page.tsx": ODD,
  "app/api/stock/route.ts": stock('return new Response("none", { status: 500 });'),
};

let model;
let server;
let browser;
let page;
let ui;
/** What a Fix writes; nothing where it is `null`. */
let mend = null;
/** The model's next answer to a Fix waits for this. */
let held = Promise.resolve();
/** Ends the feed's present line. */
let cutFeed;

before(async () => {
  model = await startModel(async (prompt, turn) => {
    if (prompt.startsWith("Break")) return turn > 0 ? done : write({ "app/page.tsx": FIXED.replace("</h1>", "</h2>") });
    if (!prompt.startsWith("Fix")) return turn > 0 ? done : write(APP);
    await held;
    return turn > 0 || !mend ? done : write(mend);
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PATIENCE);
  await page.routeWebSocket(/\/ws\/projects\//, (line) => {
    const end = line.connectToServer();
    cutFeed = () => Promise.all([end.close(), line.close()]);
  });
  // Every message to the builder page, whoever sends it.
  await page.addInitScript(() => {
    window.heard = [];
    window.addEventListener("message", ({ origin, data }) => window.heard.push({ origin, data }));
  });
  ui = workspace(page);
});

after(() => stopAll(browser, server, model));

const bar = () => page.getByRole("region", { name: "Errors in the app" });
const errors = () => bar().getByRole("listitem");
const gone = () => errors().first().waitFor({ state: "detached" });
const button = (name) => ui.preview().getByRole("button", { name });
const app = () => page.frames().find((frame) => /^http:\/\/3000-/.test(frame.url()));
const prompt = (request) => text(request.messages.findLast(({ role }) => role === "user"));
const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id);
const FORGED = { source: "codeflow-preview", type: "errors", errors: [{ kind: "error", message: "forged", location: null, path: "/" }] };

/** Reloads the preview, and waits until its page is another. */
async function reload() {
  await app().evaluate(() => (window.isOld = true));
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await until("the frame was reloaded", async () => !(await app().evaluate(() => window.isOld).catch(() => true)));
}

/** Leads the app's page elsewhere. The page may be gone before its script has answered. */
const lead = (address) =>
  app()
    .evaluate((address) => location.assign(address), address)
    .catch((error) => {
      if (!/context was destroyed/.test(error.message)) throw error;
    });

/** Usable is what does what it should: before hydration a click does nothing. */
const throws = () =>
  until("the app throws", async () => {
    await button("Throw").click({ timeout: 1000 }).catch(() => {});
    return bar().getByText("TypeError: x is undefined").isVisible();
  }, 2 * PATIENCE);

/** Waits until the builder page has heard the forged words from this origin. */
const heardFrom = (origin) =>
  until(`${origin} was heard`, () =>
    page.evaluate((origin) => window.heard.some((one) => one.origin === origin && JSON.stringify(one.data).includes("forged")), origin),
  );

/** Shows the errors that stand, and nothing else, by way of one more. */
async function onlyLogged() {
  await until("the app logs", async () => {
    await button("Log").click({ timeout: 1000 }).catch(() => {});
    return bar().getByText("could not save the note").isVisible();
  });
  await bar().getByText("The app logged an error").waitFor();
}

/** A page on another server, which frames what it is given, or opens it, and says that it is the builder. */
async function serve(markup) {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(markup);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(server, { port: server.address().port });
}

const LISTENS = `<script>
  window.heard = [];
  addEventListener("message", (event) => heard.push(JSON.stringify(event.data)));
</script>`;
const hello = "codeflow-builder:hello";
const dialogue = (page) => page.evaluate(() => window.heard.filter((words) => words.includes("codeflow-preview")));

/** Throws in the page's window, and waits until it was caught by nobody. */
const throwIn = (frame, message) =>
  frame.evaluate(
    (message) =>
      new Promise((thrown) => {
        addEventListener("error", () => thrown(), { once: true });
        setTimeout(() => {
          throw new Error(message);
        });
      }),
    message,
  );

test("errors that the app throws, rejects or logs appear below the preview", async () => {
  await ui.start(server.url, "Build a page that fails");
  await ui.finished(1);
  await throws();
  await bar().getByText("The app reported an error").waitFor();
  await bar().getByText(/at app\/page\.tsx:6:\d+ \(page \/\)/).waitFor();
  await button("Reject").click();
  await button("Log").click();
  await bar().getByText("The app reported 3 errors").waitFor();
  assert.equal(await errors().count(), 1);
  await page.screenshot({ caret: "initial", path: join(results, "preview-errors.png") });
  await bar().getByRole("button", { name: "Show all 3" }).click();
  await bar().getByText('could not save the note {"status":500}').waitFor();
  await bar().getByText("Error: nobody waits").waitFor();
  await button("Throw").click();
  assert.equal(await errors().count(), 3, "the same error is there once");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ caret: "initial", path: join(results, "preview-errors-all.png") });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "App", exact: true }).click();
  await page.screenshot({ caret: "initial", path: join(results, "preview-errors-phone.png") });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
});

test("errors that the server forgot while the feed was interrupted are reported again", async () => {
  const report = page.waitForRequest((request) => request.url().endsWith("/api/preview/errors") && request.postData().includes("x is undefined"));
  await cutFeed();
  await report;
});

test("dismissed errors stay away, and a reload without them removes them", async () => {
  await bar().getByRole("button", { name: "Dismiss" }).click();
  await gone();
  assert.equal(await focused(), "message", "the focus did not go with the button");
  await button("Throw").click();
  // A later error is shown, so the builder got this one too.
  await app().evaluate(() => console.error("and another"));
  await bar().getByText("and another").waitFor();
  await bar().getByText("The app logged an error").waitFor();
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await throws();
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await gone();
});

test("a warning of React is no error, and a page that fails to hydrate is one", async () => {
  const logged = [];
  const note = (message) => logged.push(message.text());
  page.on("console", note);
  const warnings = ["the same key", 'unique "key" prop', "onChange", "fooBar", "htmlFor", "descendant of"];
  await until("React has warned of everything", async () => {
    await button("Warn").click({ timeout: 1000 }).catch(() => {});
    return warnings.every((words) => logged.some((text) => text.includes(words)));
  });
  page.off("console", note);
  await onlyLogged();
  await lead("/odd");
  await bar().getByText(/hydrated but some attributes/).waitFor();
  await bar().getByText("on page /odd").waitFor();
  await reload();
  // It stays on the page, which fails again.
  await bar().getByText("on page /odd").waitFor();
  await lead("/");
  await throws();
});

test("only messages of the app in the frame count", async () => {
  const itself = new URL(server.url).origin;
  const from = new URL(app().url()).origin;
  await page.evaluate((words) => window.postMessage(words, "*"), FORGED);
  await heardFrom(itself);
  // The app's own origin, in another window than the preview's frame.
  const frame = await page.evaluateHandle((url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
    return new Promise((loaded) => (frame.onload = () => loaded(frame)));
  }, app().url());
  await (await frame.contentFrame()).evaluate((words) => parent.postMessage(words, "*"), FORGED);
  await heardFrom(from);
  await frame.evaluate((frame) => frame.remove());
  // The preview's frame, led to another page than the app's.
  const forger = await serve(`<h1>Forger</h1>${LISTENS}<script>onload = () => parent.postMessage(${JSON.stringify(FORGED)}, "*")</script>`);
  const origin = `http://127.0.0.1:${forger.port}`;
  await lead(origin);
  await heardFrom(origin);
  await ui.preview().getByRole("heading", { name: "Forger" }).waitFor();
  // Leaving the app's page was the end of its errors.
  await gone();
  const led = page.frames().find((frame) => frame.url().startsWith(origin));
  assert.deepEqual(await led.evaluate(() => window.heard), [], "nor is it greeted");
  assert.equal(await bar().getByText("forged").count(), 0);
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await throws();
  await bar().getByText("The app reported an error").waitFor();
  forger.close();
});

test("the app sends messages to the builder alone: not to a stranger that frames it, and none when it is opened by itself", async () => {
  const address = app().url();
  const framing = await serve(`${LISTENS}<iframe src="${address}" onload="this.contentWindow.postMessage('${hello}', '*')"></iframe>`);
  const other = await browser.newPage();
  const framed = () => other.frames().find((frame) => frame.url() === address);
  // A name that is neither the builder's nor a loopback one, on this machine all the same; then one that might be the builder's.
  for (const [host, believed] of [["stranger.localhost", false], ["localhost", true]]) {
    await other.goto(`http://${host}:${framing.port}/`);
    await framed().waitForSelector("button");
    await throwIn(framed(), "in private");
    if (believed) await until("the builder hears of it", async () => (await dialogue(other)).some((words) => words.includes("in private")));
    else {
      // Longer than errors wait for their like.
      await other.waitForTimeout(1000);
      assert.deepEqual(await dialogue(other), []);
    }
  }

  // The builder's origin, but not its frame.
  const opening = await serve(`${LISTENS}<button onclick="window.app = window.open('${address}')">Open</button>`);
  await other.goto(`http://localhost:${opening.port}/`);
  const opened = other.waitForEvent("popup");
  await other.getByRole("button", { name: "Open" }).click();
  const alone = await opened;
  await alone.getByRole("button", { name: "Throw" }).waitFor();
  await other.evaluate((hello) => window.app.postMessage(hello, "*"), hello);
  const failed = alone.waitForEvent("pageerror");
  await throwIn(alone, "in private");
  await failed;
  await alone.waitForTimeout(1000);
  assert.deepEqual(await dialogue(other), []);
  await other.close();
  framing.close();
  opening.close();
});

test("errors are hidden during a run, and those that it did not fix come back", async () => {
  let answer;
  held = new Promise((go) => (answer = go));
  await bar().getByText(/at app\/page\.tsx:6:\d+/).waitFor();
  await bar().getByRole("button", { name: "Fix" }).click();
  await ui.log().getByText("Fix this error in the app:").waitFor();
  await gone();
  assert.equal(await focused(), "message", "the focus did not go with the button");
  await until("the model is asked", () => model.requests.some((request) => request.tools && /^Fix/.test(prompt(request))));
  assert.match(
    prompt(model.requests.at(-1)),
    /^Fix this error in the app:\n\n```\nTypeError: x is undefined\n {2}at app\/page\.tsx:6:\d+ \(page \/\)\n```\n\nThis is what the running app reports/,
  );
  assert.equal(await errors().count(), 0);
  answer();
  await ui.finished(2);
  await bar().getByText("TypeError: x is undefined").waitFor();
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await gone();
});

test("fixing a route handler removes its error, although the page learns nothing of the fix", async () => {
  await until("the app can't load", async () => {
    await button("Load").click({ timeout: 1000 }).catch(() => {});
    return bar().getByText("no stock: 500").isVisible();
  });
  await app().evaluate(() => (window.isOld = true));
  mend = { "app/api/stock/route.ts": stock('return new Response("three apples");') };
  await bar().getByRole("button", { name: "Fix" }).click();
  await gone();
  await ui.finished(3);
  await until("the frame was reloaded", async () => !(await app().evaluate(() => window.isOld).catch(() => true)));
  await until("the app loads", async () => {
    await button("Load").click({ timeout: 1000 }).catch(() => {});
    return ui.preview().getByText("three apples").isVisible();
  });
  await onlyLogged();
});

test("an error that a change of the page fixes does not come back", async () => {
  mend = { "app/page.tsx": FIXED };
  await bar().getByRole("button", { name: "Fix" }).click();
  await ui.finished(4);
  await ui.preview().getByRole("heading", { name: "Mended" }).waitFor();
  // Shown once the run has settled, and alone.
  await app().evaluate(() => console.error("something else"));
  await bar().getByText("something else").waitFor();
  await bar().getByText("The app logged an error").waitFor();
});

test("what the dev server can't compile can be fixed where the app would be", async () => {
  await ui.send("Break the page");
  await until("the run fails", async () => (await ui.runs().count()) === 5 && (await ui.run(5).getAttribute("data-run-state")) === "failed", 2 * PATIENCE);
  const failure = page.getByRole("alert").filter({ hasText: "The preview can't be shown" });
  await failure.getByText("closing tag for <h1>").waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "preview-failure.png") });
  mend = { "app/page.tsx": FIXED };
  await failure.getByRole("button", { name: "Fix" }).click();
  await ui.finished(6);
  assert.match(model.requests.filter((request) => request.tools).map(prompt).at(-1), /^Fix this error in the app:\n\n```\n\.\/app\/page\.tsx/);
  await failure.waitFor({ state: "detached" });
  await ui.preview().getByRole("heading", { name: "Mended" }).waitFor();
});

test("a change that is announced before the app has started is no error of the app, and the page gets it", async () => {
  const thrown = [];
  const onError = ({ message }) => thrown.push(message);
  page.on("pageerror", onError);
  let opened = 0;
  await page.routeWebSocket(/\/_next\//, (line) => {
    const end = line.connectToServer();
    if (opened++ === 0) line.send(JSON.stringify({ type: "serverComponentChanges", hmrVersion: 1 }));
    line.onMessage((message) => end.send(message));
    end.onMessage((message) => line.send(message));
  });
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await until("the page is loaded again", () => opened > 1);
  await ui.preview().getByRole("heading", { name: "Mended" }).waitFor();
  assert.deepEqual(thrown, []);
  page.off("pageerror", onError);
});

test("with a public address of the builder, the app sends messages to that one and to no other on this machine", async () => {
  await server.stop();
  const framing = await serve(`${LISTENS}<iframe></iframe><script>
    const frame = document.querySelector("iframe");
    frame.onload = () => frame.contentWindow.postMessage("${hello}", "*");
    frame.src = location.hash.slice(1);
  </script>`);
  // Such a name is no loopback one to the app, and is on this machine all the same.
  const home = `http://builder.localhost:${framing.port}`;
  server = await startServer({ ...model.env, PUBLIC_URL: home });
  const project = await post(server, "/api/projects/create", { prompt: "Build a page that fails" });
  const address = await until(
    "the app runs",
    async () => {
      const { preview, runs } = await get(server, "/api/projects/workspace", { project });
      return runs.at(-1).state === "succeeded" && new URL(preview.url).href;
    },
    180_000,
  );
  const other = await browser.newPage();
  const framed = () => other.frames().find((frame) => frame.url() === address);
  for (const [origin, believed] of [[`http://localhost:${framing.port}`, false], [home, true]]) {
    await other.goto(`${origin}/#${address}`);
    await until("the app is there", framed);
    await framed().waitForSelector("button");
    await throwIn(framed(), "in private");
    if (believed) await until("the builder hears of it", async () => (await dialogue(other)).some((words) => words.includes("in private")));
    else {
      await other.waitForTimeout(1000);
      assert.deepEqual(await dialogue(other), []);
    }
  }
  await other.close();
  framing.close();
});
