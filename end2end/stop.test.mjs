// A person stops a run, and goes on from there.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { PATIENCE, results, startBrowser, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await startBrowser();
});

after(() => stopAll(browser, server));

test("Stop ends the run at work, says what became of it, and the next message goes on", async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PATIENCE);
  const problems = watchConsole(page);
  const at = workspace(page);
  await at.start(server.url, "Build me a todo app with dark mode");
  const stop = page.getByRole("button", { name: "Stop" });
  await stop.waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "stop-running.png") });
  // By the keyboard: the button is between the field and Send. Pressed before the page has come alive, nothing happens.
  await until("the run is stopped", async () => {
    if ((await at.run(1).getAttribute("data-run-state")) === "cancelled") return true;
    await page.getByRole("textbox", { name: "Message" }).focus();
    // Past the button that attaches an image, once that is there, the saved prompts, and the choice of a mode.
    for (let tabs = 0; tabs < 4; tabs++) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement.getAttribute("aria-label"))) !== "Stop") continue;
      await page.keyboard.press("Enter");
      // What is pressed after that would take the focus from where the page puts it.
      const cancelled = page.locator("[data-run-state=cancelled]");
      return cancelled.waitFor({ timeout: 5_000 }).then(() => true, () => false);
    }
    return false;
  });
  await page.getByRole("status").filter({ hasText: "The run was stopped" }).waitFor();
  await at.log().getByText("Stopped. What was written so far is kept").waitFor();
  await stop.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "message", "the focus is where the next message is written");
  await page.screenshot({ caret: "initial", path: join(results, "stop-stopped.png") });

  await at.send("Build me a todo app with dark mode");
  await at.finished(2);
  await page.reload();
  assert.equal(await at.run(1).getAttribute("data-run-state"), "cancelled");
  assert.deepEqual(problems, []);
  await page.close();
});
