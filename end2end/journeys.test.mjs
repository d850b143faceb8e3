// Journeys as a person meets them: in the result with pictures, and played again in the Code tab.
import assert from "node:assert/strict";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible } from "./accessible.mjs";
import { done, startModel, write } from "./model.mjs";
import { PATIENCE, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

const PAGE = `"use client";
import { useState } from "react";
export default function Page() {
  const [count, setCount] = useState(0);
  return <main><h1>Shop</h1><button onClick={() => setCount(count + 1)}>Buy</button><p>In the cart: {count}</p></main>;
}
`;
const journey = (title, ...steps) => JSON.stringify({ title, steps: [{ open: "/" }, ...steps] });
const BUY = journey("A visitor buys", { click: "Buy", role: "button" }, { see: "In the cart: 1" });
const RENT = journey("A visitor rents", { click: "Rent", role: "button" }, { see: "Rented" });

let model;
let server;
let browser;
let page;
let problems;

before(async () => {
  model = await startModel((_prompt, turn) => (turn > 0 ? done : write({ "app/page.tsx": PAGE, "tests/journeys/buy.json": BUY })));
  server = await startServer(model.env);
  browser = await startBrowser();
  page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page);
});

after(() => stopAll(browser, server, model));

test("a result shows what its journeys ended with, small and large", async () => {
  const ui = workspace(page);
  await ui.start(server.url, "Build a shop");
  await ui.finished(1);
  const ends = ui.run(1).getByRole("list", { name: "Journeys that passed" });
  await ends.getByText("A visitor buys").waitFor();
  assert.equal(await ui.run(1).getByText("A visitor buys").count(), 1, "it is named once");
  await ends.getByRole("button", { name: "How “A visitor buys” ended" }).press("Enter");
  const dialog = page.getByRole("dialog", { name: "A visitor buys" });
  const large = dialog.locator("img");
  await until("the picture is there", () => large.evaluate((picture) => picture.complete && picture.naturalWidth === 640));
  await assertAccessible(page, "a journey's end");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
});

test("a journey is run in the Code tab, the one that fails says where, and a run of all is cancelled", async () => {
  const project = page.url().split("/").pop();
  const form = new URLSearchParams({ project, path: "tests/journeys/rent.json", content: RENT });
  const written = await fetch(`${server.url}/api/files/write`, { method: "POST", headers: { accept: "application/json" }, body: form });
  assert.equal(written.status, 200);
  await page.goto(`${page.url()}?file=tests/journeys/buy.json`);
  const bar = page.getByRole("region", { name: "Journey", exact: true });
  const results = bar.getByRole("list", { name: "Journeys that were run" });
  await bar.getByRole("button", { name: "Run", exact: true }).click();
  await bar.getByText("It passed.").waitFor();
  await results.getByRole("button", { name: "How “A visitor buys” ended" }).waitFor();
  await bar.getByRole("button", { name: "Run all" }).click();
  await bar.getByText("1 of 2 failed.").waitFor();
  await results.getByText("Step 2 of 3, click the button “Rent”: there is no button named “Rent”.").waitFor();
  await assertAccessible(page, "journeys that were run");
  await bar.getByRole("button", { name: "Run all" }).click();
  await bar.getByRole("button", { name: "Cancel" }).click();
  await bar.getByText("Cancelled.").waitFor();
  await until("it can be run again", () => bar.getByRole("button", { name: "Run", exact: true }).isEnabled());
  assert.deepEqual(problems, []);
});
