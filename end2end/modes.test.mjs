// Ask, Plan and Build as a person uses them: an answer, questions with buttons, a plan that is edited, approved and ticked, in two tabs.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible } from "./accessible.mjs";
import { call, done, say, startModel, write } from "./model.mjs";
import { results, startBrowser, startServer, until } from "./server.mjs";
import { openTab } from "./workspace.mjs";

const page = (words) => `export default function Home() {\n  return <h1>${words}</h1>;\n}\n`;
const questions = [
  { question: "Which colours?", options: ["Blue", "Red"] },
  { question: "Who uses it?", options: ["I", "My team"] },
];
const plan = { pages: "Home", data: "None", look: "Blue", steps: ["Write the page", "Check it"] };

let model;
let server;
let browser;
let tab;
let ui;
let problems;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (prompt.startsWith("Plan")) return call("askQuestions", { questions });
    if (prompt.startsWith("Which colours?")) return call("proposePlan", plan);
    if (prompt.startsWith("What")) return say("It is **a shop**.");
    if (turn === 0) return write({ "app/page.tsx": page("Shop") });
    if (turn === 1 && prompt.startsWith("Build this plan")) return call("completeStep", { step: 1 });
    return done;
  });
  server = await startServer(model.env);
  browser = await startBrowser();
  ({ tab, problems, ui } = await openTab(browser));
});

after(() => stopAll(browser, server, model));

const group = (name, of = tab) => of.getByRole("group", { name });

test("a plan begins on the front page, and its questions are answered by the keyboard, once, from two tabs", async () => {
  await tab.goto(server.url);
  assert.ok(await ui.mode("Build").isChecked());
  await ui.mode("Build").focus();
  await until("the arrow chooses", async () => {
    if (await ui.mode("Plan").isChecked()) return true;
    await tab.keyboard.press("ArrowRight");
    return false;
  });
  await assertAccessible(tab, "the front page with a mode");
  await tab.getByRole("textbox", { name: "Describe the app you want to build" }).fill("Plan a shop");
  await tab.getByRole("button", { name: "Start Creating" }).click();
  await tab.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
  await ui.finished(1);
  assert.ok(await ui.mode("Plan").isChecked(), "the choice goes with the project");
  await tab.getByRole("button", { name: "Send answers" }).click();
  await tab.getByRole("alert").filter({ hasText: "Choose an answer first" }).waitFor();
  for (const width of [320, 768, 1280]) {
    await tab.setViewportSize({ width, height: 800 });
    const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, `nothing is wider than the window at ${width} px`);
    await tab.screenshot({ caret: "initial", path: join(results, `modes-${width}.png`) });
  }
  await assertAccessible(tab, "questions");

  const other = await tab.context().newPage();
  await other.goto(tab.url());
  await group("Which colours?", other).getByRole("radio", { name: "Red" }).waitFor();
  await group("Which colours?").getByRole("radio", { name: "Blue" }).focus();
  await tab.keyboard.press("Space");
  await group("Who uses it?").getByRole("textbox", { name: "Other" }).fill("Everybody");
  await tab.getByRole("button", { name: "Send answers" }).click();
  await ui.finished(2);
  await tab.getByText("Which colours? Blue").waitFor();
  for (const at of [tab, other]) {
    const blue = group("Which colours?", at).getByRole("radio", { name: "Blue" });
    await until("it is answered in both tabs", () => blue.isDisabled());
    assert.ok(await blue.isChecked());
    assert.equal(await at.getByRole("button", { name: "Send answers" }).count(), 0);
  }
  await other.close();
});

test("the plan is edited, approved and built, and its steps are ticked, also after a reload", async () => {
  const field = tab.getByRole("textbox", { name: "Plan" });
  const text = await field.inputValue();
  assert.match(text, /## Steps\n\n1\. Write the page\n2\. Check it/);
  await field.fill(`${text}\n3. Rest`);
  await tab.getByRole("button", { name: "Build this plan" }).click();
  await ui.finished(3);
  const steps = () => tab.getByRole("list", { name: "Steps of the plan" }).getByRole("listitem").allInnerTexts();
  const expected = ["Done: Write the page", "To do: Check it", "To do: Rest"];
  const flat = async () => (await steps()).map((step) => step.replace(/\s+/g, " ").trim());
  await until("the step is ticked", async () => (await flat())[0] === expected[0]);
  assert.deepEqual(await flat(), expected);
  await tab.reload();
  assert.deepEqual(await flat(), expected);
  assert.equal(await tab.getByRole("button", { name: "Build this plan" }).count(), 0);
});

test("Ask answers, the choice stays, and nothing is changed", async () => {
  await ui.mode("Ask").check();
  await ui.send("What is it?");
  await ui.finished(4);
  await ui.run(4).getByText("a shop").waitFor();
  await tab.getByRole("status").filter({ hasText: "Answered" }).waitFor();
  assert.ok(await ui.mode("Ask").isChecked());
  // It is kept as an unsent message is, for this project alone.
  await tab.reload();
  await until("the choice is there again", () => ui.mode("Ask").isChecked());
  await ui.mode("Build").check();
  await tab.reload();
  await tab.getByRole("status").filter({ hasText: "Answered" }).waitFor();
  assert.ok(await ui.mode("Build").isChecked());
  await tab.getByRole("button", { name: "Versions" }).click();
  const versions = tab.getByRole("list", { name: "Versions" }).getByRole("listitem");
  await versions.first().waitFor();
  assert.equal(await versions.count(), 1);
  assert.deepEqual(problems, []);
});
