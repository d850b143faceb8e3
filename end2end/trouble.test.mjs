// What an app of Next.js does to its own server in a real sandbox with the usual limits: a pipe among its files, many requests, a loop
// without an end and a memory hog. The check or the preview says what happened, and the app is shown again.
import assert from "node:assert/strict";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, run, startModel, text, write } from "./model.mjs";
import { get, post, startBrowser, startServer, until } from "./server.mjs";

const REQUESTS = 2000;
/** Requests at a time. */
const CROWD = 20;
/** What a dev server may take to be noticed, started again and compiled anew on a busy machine, in milliseconds. */
const PATIENCE = 300_000;

/** A route that does this only when asked with `?go`: a check of the app asks for its routes as well. */
const route = (body) => `export function GET(request: Request) {
  if (!new URL(request.url).searchParams.has("go")) return new Response("Add ?go");
  ${body}
}
`;
const APP = {
  "app/page.tsx": "export default function Home() {\n  return <h1>Still here</h1>;\n}\n",
  "app/items/[id]/page.tsx": `export default async function Item({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <h1>Item {id}</h1>;
}
`,
  "app/loop/route.ts": route("while (true) {}"),
  "app/hog/route.ts": route("const kept: Buffer[] = [];\n  for (;;) kept.push(Buffer.alloc(16 << 20, 1));"),
};

const PIPE = "Make a pipe";

let model;
let server;
let browser;
let project;
let address;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (prompt.includes(PIPE)) return [run("mkfifo pipe1 app/pipe2"), done, run("rm pipe1 app/pipe2")][turn] ?? done;
    return turn > 0 ? done : write(APP);
  });
  server = await startServer(model.env);
  project = await post(server, "/api/projects/create", { prompt: "Build an app" });
  browser = await startBrowser();
  // Somebody has the project open, so its preview is looked at.
  await (await browser.newPage()).goto(`${server.url}/projects/${project}`);
  const ended = await until("the run ends", async () => (await workspace()).runs[0].finished_at && (await workspace()), PATIENCE);
  assert.equal(ended.runs[0].state, "succeeded", ended.messages.at(-1).content);
  address = await until("the preview has an address", async () => (await workspace()).preview.url, PATIENCE);
});

after(() => stopAll(browser, server, model));

const workspace = () => get(server, "/api/projects/workspace", { project });

/** Asks for a path of the preview: its status and text, status 0 when there is no answer in time. */
function ask(path, timeout = 60_000) {
  const { host, port } = new URL(address);
  return new Promise((answered) => {
    const asking = request({ host: "127.0.0.1", port, path, headers: { host }, timeout }, async (answer) => {
      let text = "";
      try {
        for await (const piece of answer) text += piece;
        answered({ status: answer.statusCode, text });
      } catch {
        answered({ status: 0, text });
      }
    });
    asking.on("timeout", () => asking.destroy());
    asking.on("error", () => answered({ status: 0, text: "" }));
    asking.end();
  });
}

/** Asks for a path until the preview says this, and then waits until it shows the app. */
async function isSaidAndMended(path, words) {
  let isSaid = false;
  const make = async () => {
    // A server that is just starting may not hear it.
    while (!isSaid) {
      await ask(path, PATIENCE);
      await sleep(5000);
    }
  };
  void make();
  await until(
    `the preview says: ${words}`,
    async () => {
      // Somebody looks at the page meanwhile.
      await ask("/", 2000);
      const { preview } = await workspace();
      return words.test(preview.notice ?? preview.reason ?? "");
    },
    PATIENCE,
  ).finally(() => (isSaid = true));
  await until("the page is shown again", async () => (await ask("/")).text.includes("Still here"), PATIENCE);
  await until("the preview is ready", async () => (await workspace()).preview.state === "ready", PATIENCE);
}

test("a named pipe among the app's files is named to the model at once, and the dev server does not hang on it", async () => {
  await post(server, "/api/messages/send", { project, text: PIPE });
  const ended = await until("the run ends", async () => (await workspace()).runs[1]?.finished_at && (await workspace()), PATIENCE);
  assert.equal(ended.runs[1].state, "succeeded", ended.messages.at(-1).content);
  const { messages } = model.requests.findLast((request) => request.tools);
  const said = messages.map((message) => (message.content ? text(message) : "")).join("\n");
  assert.match(said, /pipe1 is a named pipe/);
  await until("the page is shown", async () => (await ask("/")).text.includes("Still here"), PATIENCE);
});

test(`${REQUESTS} requests are answered, each one`, async () => {
  await until("the page is compiled", async () => (await ask("/items/0")).status === 200, PATIENCE);
  let next = 0;
  const wrong = [];
  const visit = async () => {
    while (next < REQUESTS) {
      const id = next++;
      const { status, text } = await ask(`/items/${id}`);
      if (status !== 200 || !text.includes(String(id))) wrong.push(`${id}: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: CROWD }, visit));
  assert.deepEqual(wrong, []);
  assert.match((await ask("/")).text, /Still here/);
  const { preview } = await workspace();
  assert.equal(preview.state, "ready");
});

test("a route that loops for ever is noticed, said, and over", async () => {
  await isSaidAndMended("/loop?go", /The app's server did not answer for \d+ seconds and was restarted/);
});

test("an app that takes all memory is restarted with a sentence, and its preview lives on", async () => {
  await isSaidAndMended("/hog?go", /The app ran out of memory \(2 GB\) and was restarted/);
});
