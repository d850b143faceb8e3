// What is called done, runs: builds that are broken in different ways, each in a real sandbox, none of them a result until it is mended.
import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, describe, test } from "./suite.mjs";
import { broken, halfStyled, killed, whole } from "./broken.mjs";
import { done, run, startModel, text, write } from "./model.mjs";
import { post, startServer, until } from "./server.mjs";

let server;
let model;

const KILLED = "a dev server that was killed and can't start";
const HALF_STYLED = "a page whose styles lack a class";
const builds = { ...broken, [KILLED]: killed };

/** What the model does for a prompt: the name of a broken build, or of one with "Mend" or "Repair" in front. */
function reply(prompt, turn) {
  if (prompt === HALF_STYLED) return turn > 0 ? done : run(halfStyled.command);
  const [, mends, name] = /^(?:(Mend|Repair) )?(.*)$/.exec(prompt);
  const build = builds[name];
  // Broken at first, and mended when the check says so.
  if (mends === "Repair") return [act(build), done, mend(build), done][turn];
  if (!build || turn > 0) return done;
  return mends ? mend(build) : act(build);
}

const act = (build) => (build.command ? run(build.command) : write(build.files));
const mend = (build) => (build.mendBy ? run(build.mendBy) : write(build.mend ?? whole));

/** Something to send prompts to: a project, made by the first of them; `read` fetches a file of its app. */
function startProject() {
  let project;
  const workspace = async () => (await fetch(`${server.url}/api/projects/workspace?project=${project}`)).json();

  const read = async (path) => {
    const file = await (await fetch(`${server.url}/api/files/read?${new URLSearchParams({ project, path })}`)).json();
    const letters = { quot: '"', "#39": "'", "#x27": "'", lt: "<", gt: ">", amp: "&" };
    return file.lines.join("\n").replace(/<[^>]*>/g, "").replace(/&(#?\w+);/g, (_, name) => letters[name]);
  };

  /** Sends the prompt, and returns the message that ends its run. */
  async function ended(prompt) {
    const before = project ? (await workspace()).messages.length : 0;
    if (project) await post(server, "/api/messages/send", { project, text: prompt });
    else project = await post(server, "/api/projects/create", { prompt });
    const reply = async () => (await workspace()).messages.slice(before).find((message) => message.role === "assistant");
    return until(`the run for “${prompt}” ends`, reply, 240_000);
  }

  /** What the app answers to a path. Names below localhost are the browser's to resolve. */
  async function fetchApp(path) {
    const { port, host } = new URL((await workspace()).preview.url);
    const answer = await new Promise((answered, failed) => get({ host: "127.0.0.1", port, path, headers: { host } }, answered).on("error", failed));
    return (await answer.toArray()).join("");
  }
  return { ended, read, fetchApp };
}

before(async () => {
  model = await startModel(reply);
  server = await startServer(model.env);
});

after(async () => {
  await server?.stop();
  model?.stop();
});

/** The reports on the app's checks that the model got in the run for this prompt. */
function reports(prompt) {
  const turns = model.requests.filter(({ messages, tools }) => tools && text(messages.findLast(({ role }) => role === "user")) === prompt);
  const said = turns.flatMap(({ messages }) => messages.filter(({ role }) => role === "system").map(text));
  return said.filter((content) => content.startsWith("The app was checked, and it is not done"));
}

/** Breaks an app, has the check's report read by the model, and the app mended in the same run. */
async function repair(project, name, says) {
  const prompt = `Repair ${name}`;
  const result = await project.ended(prompt);
  assert.equal(result.kind, "result", result.content);
  const said = reports(prompt);
  assert.ok(said.some((report) => says.test(report)), said.at(-1));
}

// A check waits more than it computes, so two projects are broken at a time.
describe("what is called done, runs", { concurrency: 2 }, () => {
  for (const half of [0, 1]) {
    describe(`half ${half + 1}`, { concurrency: 1 }, () => {
      const project = startProject();
      const mine = Object.entries(broken).filter((_, index) => index % 2 === half);

      test("an app of which nothing was written is no result", async () => {
        const message = await project.ended("Do nothing at all");
        assert.equal(message.kind, "error", message.content);
        assert.match(message.content, /placeholder/);
      });

      const [stubborn, build] = mine[0];
      test(`${stubborn} that stays is no result: the error names it, the files are kept, and the next message mends it`, async () => {
        const error = await project.ended(stubborn);
        assert.equal(error.kind, "error", error.content);
        assert.match(error.content, build.says);
        assert.match(error.content, /The files are kept/);
        for (const [path, content] of Object.entries(build.files)) assert.equal(await project.read(path), content.trimEnd(), path);
        const result = await project.ended(`Mend ${stubborn}`);
        assert.equal(result.kind, "result", result.content);
      });

      for (const [name, { says }] of mine.slice(1)) {
        test(`${name} is found, and the model mends it in the same run`, () => repair(project, name, says));
      }
    });
  }
});

// By itself: the others' checks would wait for a dev server that takes its time to start again.
test(`${KILLED} is found, and the model mends it in the same run`, async () => {
  const project = startProject();
  assert.equal((await project.ended("Mend an empty page")).kind, "result");
  await repair(project, KILLED, killed.says);
});

test(`${HALF_STYLED} is made whole before it is called done, however busy the dev server is`, async () => {
  const { ended, fetchApp } = startProject();
  const result = await ended(HALF_STYLED);
  assert.equal(result.kind, "result", result.content);
  const said = model.requests.flatMap(({ messages }) => messages.filter(({ role }) => role === "tool").map(text));
  assert.ok(said.some((output) => output.includes(halfStyled.missed)), said.at(-1));
  const [stylesheet] = /\/_next\/[^"\\]*\.css/.exec(await fetchApp("/"));
  const styles = await fetchApp(stylesheet);
  assert.ok(styles.includes(halfStyled.style), `${stylesheet} lacks the class`);
  assert.ok(!styles.includes("codeflow"), "and the check left nothing of its own in it");
});
