// What is called done, runs: builds that are broken in different ways, each in a real sandbox, none of them a result until it is mended.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { broken, whole } from "./broken.mjs";
import { done, run, startModel, text, write } from "./model.mjs";
import { post, startServer, until } from "./server.mjs";

let server;
let model;

/** What the model does for a prompt: the name of a broken build, or of one with "Mend" in front. */
function reply(prompt, turn) {
  const mends = prompt.startsWith("Mend ");
  const build = broken[prompt.replace(/^(Mend|Repair) /, "")];
  if (prompt.startsWith("Repair ")) {
    // Broken at first, and mended when the check says so.
    return [act(build), done, write(build.mend ?? whole), done][turn];
  }
  if (!build || turn > 0) return done;
  if (!mends) return act(build);
  return build.mendBy ? run(build.mendBy) : write(build.mend ?? whole);
}

const act = (build) => (build.command ? run(build.command) : write(build.files));

/** Something to send prompts to: a project, made by the first of them. */
function startProject() {
  let project;
  const workspace = async () => (await fetch(`${server.url}/api/projects/workspace?project=${project}`)).json();

  /** Sends the prompt, and returns the message that ends its run. */
  return async function ended(prompt) {
    const before = project ? (await workspace()).messages.length : 0;
    if (project) await post(server, "/api/messages/send", { project, text: prompt });
    else project = await post(server, "/api/projects/create", { prompt });
    const reply = async () => (await workspace()).messages.slice(before).find((message) => message.role === "assistant");
    return until(`the run for “${prompt}” ends`, reply, 240_000);
  };
}

before(async () => {
  model = await startModel(reply);
  server = await startServer(model.env);
});

after(async () => {
  await server?.stop();
  model?.stop();
});

// A check waits more than it computes, so two projects are broken at a time.
describe("what is called done, runs", { concurrency: 2 }, () => {
  for (const half of [0, 1]) {
    describe(`half ${half + 1}`, { concurrency: 1 }, () => {
      const ended = startProject();

      test("an app of which nothing was written is no result", async () => {
        const message = await ended("Do nothing at all");
        assert.equal(message.kind, "error", message.content);
        assert.match(message.content, /placeholder/);
      });

      for (const [name, build] of Object.entries(broken).filter((_, index) => index % 2 === half)) {
        test(`${name} is no result, and the same app mended is one`, async () => {
          const error = await ended(name);
          assert.equal(error.kind, "error", error.content);
          assert.match(error.content, build.says);
          assert.match(error.content, /The files are kept/);
          const result = await ended(`Mend ${name}`);
          assert.equal(result.kind, "result", result.content);
        });
      }
    });
  }
});

test("what the check finds goes back to the model, which mends it in the same run", async () => {
  const before = model.requests.length;
  const result = await startProject()("Repair a throw in an effect");
  assert.equal(result.kind, "result", result.content);
  const told = model.requests.slice(before).flatMap((request) => request.messages.map(text));
  assert.ok(
    told.some((said) => said.startsWith("The app was checked, and it is not done") && said.includes("the effect broke")),
    told.at(-1),
  );
});
