// An element that is picked in the preview: the next message says what it is and where it was written, and its text and classes are changed
// in the source without the model, as an edit that becomes a version.
import assert from "node:assert/strict";
import { join } from "node:path";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, text, write } from "./model.mjs";
import { PATIENCE, get, post, readFile, results, startBrowser, startServer, until } from "./server.mjs";
import { workspace } from "./workspace.mjs";

const PAGE = `import { AddForm } from "./add-form";
import { Badge } from "@/components/ui/badge";

const hats = ["Bowler", "Beret"];

export default function Home() {
  return (
    <main className="flex flex-col gap-4 p-8">
      <h1 className="text-2xl font-bold">
        Hats &amp; more
      </h1>
      <Badge>Fresh</Badge>
      <ul>
        {hats.map((hat) => (
          <li key={hat}>{hat}</li>
        ))}
      </ul>
      <AddForm />
    </main>
  );
}
`;
const FORM = `"use client";
import { useState } from "react";
import { Button } from "@/components/ui/button";

export function AddForm() {
  const [added, setAdded] = useState(0);
  return (
    <div className="flex gap-2">
      <Button onClick={() => setAdded(added + 1)}>Add a hat</Button>
      <p className={added > 0 ? "text-green-700" : "text-zinc-500"}>{added} added</p>
    </div>
  );
}
`;

let model;
let server;
let browser;
let page;
let ui;
let project;

before(async () => {
  model = await startModel((prompt, turn) => (turn > 0 || !prompt.startsWith("Build") ? done : write({ "app/page.tsx": PAGE, "app/add-form.tsx": FORM })));
  server = await startServer(model.env);
  browser = await startBrowser();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  ui = workspace(page);
});

after(() => stopAll(browser, server, model));

const button = (name) => page.getByRole("button", { name, exact: true });
const panel = () => page.getByRole("region", { name: "Picked element" });
const chip = () => page.getByRole("group", { name: "Picked element" });
const field = (name) => panel().getByRole("textbox", { name });
const source = async (path) => (await readFile(server, project, path)).text;
const sourceHas = (path, part) => until(`${path} has ${part}`, async () => (await source(path))?.includes(part));

async function pick(role, name) {
  const picker = ui.preview().locator("codeflow-picker");
  // A page that loads anew, such as after an edit, ends it: then once more.
  await until(`${role} ${name ?? ""} is picked`, async () => {
    // What was picked before is in the panel, and must not be taken for the new one; nor the answer to a change of it.
    const isFound = page.waitForResponse((response) => new URL(response.url()).pathname === "/api/preview/element", { timeout: 15_000 }).then(
      () => true,
      () => false,
    );
    if ((await button("Pick an element").getAttribute("aria-pressed")) !== "true") await button("Pick an element").click();
    const isReady = await picker.waitFor({ state: "attached", timeout: 10_000 }).then(
      () => true,
      () => false,
    );
    if (isReady) await ui.preview().getByRole(role, { name }).first().click();
    return isFound;
  });
  await panel().waitFor();
  await picker.waitFor({ state: "detached" });
  await panel().locator("[aria-busy]").waitFor({ state: "detached" });
}

test("a picked element of a server component is known with its source, and goes with the next message as a chip", async () => {
  await ui.start(server.url, "Build it");
  project = page.url().split("/").at(-1);
  await ui.finished(1);
  await ui.preview().getByRole("heading", { name: "Hats & more" }).waitFor();
  await pick("heading", "Hats & more");
  await panel().getByText("<h1> in Home").waitFor();
  await panel().getByText("app/page.tsx:9").waitFor();
  await chip().getByText("<h1> in Home").waitFor();
  await ui.send("Make it larger");
  await ui.finished(2);
  const asked = text(model.requests.findLast(({ tools }) => tools).messages.findLast(({ role }) => role === "user"));
  assert.match(asked, /^Make it larger\n\nPicked element: `<h1>` with the text `Hats & more`, written in `app\/page\.tsx:9` \(component `Home`\)/);
  assert.equal(await chip().count(), 0);
});

test("its text and classes are changed in the source without the model, and undone", async () => {
  const before = await source("app/page.tsx");
  const requests = model.requests.length;
  await pick("heading", "Hats & more");
  assert.equal(await field("Text").inputValue(), "Hats & more");
  await field("Text").fill("Hats {for} <all>");
  await field("Text").press("Enter");
  await ui.preview().getByRole("heading", { name: "Hats {for} <all>" }).waitFor();
  assert.equal(await source("app/page.tsx"), before.replace("Hats &amp; more", "Hats &#123;for&#125; &lt;all&gt;"));
  await button("Undo").click();
  await ui.preview().getByRole("heading", { name: "Hats & more" }).waitFor();
  await sourceHas("app/page.tsx", "Hats & more");

  assert.equal(await field("Classes").inputValue(), "text-2xl font-bold");
  await field("Classes").fill("text-2xl font-bold underline");
  await panel().getByRole("button", { name: "Save classes" }).click();
  await until("the heading is underlined", () =>
    ui.preview().getByRole("heading").evaluate((heading) => getComputedStyle(heading).textDecorationLine === "underline").catch(() => false),
  );
  await sourceHas("app/page.tsx", 'className="text-2xl font-bold underline"');
  assert.equal(model.requests.length, requests, "the model was not asked");
});

test("what a component was given is changed where it is used, and what is computed is called so", async () => {
  await pick("button", "Add a hat");
  await panel().getByText("<button> in Button").waitFor();
  assert.equal(await field("Text").inputValue(), "Add a hat");
  await field("Text").fill("Add one");
  await field("Text").press("Enter");
  await sourceHas("app/add-form.tsx", "<Button onClick={() => setAdded(added + 1)}>Add one</Button>");
  await field("Classes").fill("mt-2");
  await field("Classes").press("Enter");
  await sourceHas("app/add-form.tsx", '<Button onClick={() => setAdded(added + 1)} className="mt-2">Add one</Button>');
  await ui.preview().getByRole("button", { name: "Add one" }).waitFor();

  await pick("listitem");
  await panel().getByText("<li> in Home").waitFor();
  await panel().getByText(/^This text is computed in app\/page\.tsx:15\./).waitFor();
  // Nothing of the app heard that it was pressed.
  await ui.preview().getByText("0 added").waitFor();
});

test("the source is known however often the code was replaced meanwhile", async () => {
  for (const classes of ["text-2xl", "text-3xl", "text-2xl font-bold"]) {
    await pick("heading", "Hats & more");
    await field("Classes").fill(classes);
    await field("Classes").press("Enter");
    await until(`the heading has ${classes}`, () => ui.preview().getByRole("heading").evaluate((heading, classes) => heading.className === classes, classes).catch(() => false));
    await ui.preview().locator("body").evaluate((body) => body.classList.add("loaded-before"));
    await button("Reload").click();
    await ui.preview().locator("body:not(.loaded-before)").getByText("0 added").waitFor();
    await pick("listitem");
    await panel().getByText("<li> in Home").waitFor();
    await panel().getByText("app/page.tsx:15", { exact: true }).waitFor();
  }
});

test("the edits become a version", async () => {
  await ui.send("Thanks");
  await ui.finished(3);
  const versions = await get(server, "/api/versions/list", { project });
  assert.match(JSON.stringify(versions), /Edited (page|add-form)\.tsx and 1 other/);
});

test("a source that changed meanwhile is not overwritten", async () => {
  await pick("heading", "Hats & more");
  assert.equal(await field("Text").inputValue(), "Hats & more");
  const changed = (await source("app/page.tsx")).replace("Hats & more", "Caps");
  const { hash } = await readFile(server, project, "app/page.tsx");
  await post(server, "/api/files/write", { project, path: "app/page.tsx", content: changed, base: hash });
  await field("Text").fill("Bonnets");
  await field("Text").press("Enter");
  await panel().getByText("The source has changed since the element was picked. Pick it again, then change it.").waitFor();
  assert.equal(await source("app/page.tsx"), changed);
});

test("an element is picked by keyboard alone, and Escape ends it", async () => {
  await panel().getByRole("button", { name: "Close the picked element" }).click();
  await ui.preview().getByRole("heading", { name: "Caps" }).waitFor();
  await button("Pick an element").focus();
  await page.keyboard.press("Enter");
  await until("the page lets one pick", () => ui.preview().locator("codeflow-picker").count());
  await page.keyboard.press("Escape");
  await until("the button is up again", async () => (await button("Pick an element").getAttribute("aria-pressed")) === "false");
  assert.equal(await panel().count(), 0);
  await button("Pick an element").focus();
  await page.keyboard.press("Enter");
  await until("the page lets one pick", () => ui.preview().locator("codeflow-picker").count());
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await panel().waitFor();
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    for (const width of [390, 1024, 1920]) {
      await page.setViewportSize({ width, height: 800 });
      if (width === 390) await button("App").click();
      await assertAccessible(page, `picked element, ${theme}, ${width}`);
      await page.screenshot({ caret: "initial", path: join(results, `preview-picked-${theme}-${width}.png`) });
    }
  }
});
