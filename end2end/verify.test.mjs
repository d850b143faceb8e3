// What is called done, runs: builds that are broken in different ways, each in a real sandbox, none of them a result until it is mended.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { broken, whole } from "./broken.mjs";
import { done, run, startModel, text, write } from "./model.mjs";
import { post, startServer, until } from "./server.mjs";

let server;
let model;
let project;

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

const workspace = async () => (await fetch(`${server.url}/api/projects/workspace?project=${project}`)).json();

/** Sends the message, and returns the one that ends its run. */
async function ended(prompt) {
  const before = project ? (await workspace()).messages.length : 0;
  if (project) await post(server, "/api/messages/send", { project, text: prompt });
  else project = await post(server, "/api/projects/create", { prompt });
  const found = await until(
    `the run for “${prompt}” ends`,
    async () => {
      const last = (await workspace()).messages.slice(before).find((message) => message.role === "assistant");
      return last;
    },
    180_000,
  );
  return found;
}

before(async () => {
  model = await startModel(reply);
  server = await startServer(model.env);
});

after(async () => {
  await server?.stop();
  model?.stop();
});

test("an app of which nothing was written is no result", async () => {
  const message = await ended("Do nothing at all");
  assert.equal(message.kind, "error", message.content);
  assert.match(message.content, /placeholder/);
});

for (const [name, build] of Object.entries(broken)) {
  test(`${name} is no result, and the same app mended is one`, async () => {
    const error = await ended(name);
    assert.equal(error.kind, "error", error.content);
    assert.match(error.content, build.says);
    assert.match(error.content, /The files are kept/);
    const result = await ended(`Mend ${name}`);
    assert.equal(result.kind, "result", result.content);
  });
}

test("what the check finds goes back to the model, which mends it in the same run", async () => {
  const before = model.requests.length;
  const result = await ended("Repair a throw in an effect");
  assert.equal(result.kind, "result", result.content);
  const told = model.requests.slice(before).flatMap((request) => request.messages.map(text));
  assert.ok(
    told.some((said) => said.startsWith("The app was checked, and it is not done") && said.includes("the effect broke")),
    told.at(-1),
  );
});
