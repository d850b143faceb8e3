// An app that nobody looks at falls asleep: the preview says so, and wakes it.
import { join } from "node:path";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { PATIENCE, results, startBrowser, startServer, until } from "./server.mjs";
import { workspace } from "./workspace.mjs";

const PAGE = `export default function Home() {
  return <h1>Awake</h1>;
}
`;

let model;
let server;
let browser;
let page;
let ui;

before(async () => {
  model = await startModel((prompt, turn) => (turn > 0 ? done : write({ "app/page.tsx": PAGE })));
  // Shorter than the time between two words of the page that somebody looks.
  server = await startServer({ ...model.env, SANDBOX_IDLE_SECONDS: "5" });
  browser = await startBrowser();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  ui = workspace(page);
});

after(() => stopAll(browser, server, model));

test("a preview that nobody looks at says that its app is asleep, and wakes it", async () => {
  await ui.start(server.url, "Build it");
  await ui.finished(1);
  await page.getByText("The app is asleep").waitFor();
  await until("the frame is gone", async () => (await page.locator('iframe[title="Preview"]').count()) === 0);
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    await assertAccessible(page, `asleep, ${theme}`);
    await page.screenshot({ caret: "initial", path: join(results, `preview-asleep-${theme}.png`) });
  }
  await page.getByRole("button", { name: "Wake" }).click();
  await ui.preview().getByRole("heading", { name: "Awake" }).waitFor();
  // A message wakes it, too.
  await page.getByText("The app is asleep").waitFor();
  await ui.send("Once more");
  await ui.finished(2);
});
