// The workspace as a person finds it: the runs in the conversation, and the app in the preview's frame.
import assert from "node:assert/strict";
import { PATIENCE, until } from "./server.mjs";

/** Notes what the page reports on its console: nothing should be. What previews report on theirs counts too, unless `previews` is false. */
export function watchConsole(page, { previews = true } = {}) {
  const problems = [];
  page.on("console", (message) => {
    // Previews have host names that begin with a port.
    if (!previews && /^https?:\/\/\d+-/.test(message.location().url)) return;
    // Chromium's advice to pages that are late to use what they fetched ahead, as on a busy machine.
    if (message.text().includes("was preloaded using link preload but not used within")) return;
    if (["error", "warning"].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
  return problems;
}

/** Notes what the pages' policy refuses in the context's windows. What an app does in its preview is its own affair. */
export async function watchPolicy(context) {
  const refused = [];
  await context.exposeBinding("codeflowRefused", ({ frame }, what) => frame.parentFrame() || refused.push(what));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, target }) => {
      const element = target instanceof Element ? target.outerHTML.slice(0, 200) : "";
      globalThis.codeflowRefused(`${location.pathname}: ${effectiveDirective} refuses ${blockedURI} ${element}`);
    });
  });
  return refused;
}

/** Presses Tab until the focus is on what the locator finds, as somebody without a mouse would. */
export async function tabTo(target) {
  const isThere = () => target.evaluate((element) => element === document.activeElement);
  await until(`the focus comes to ${target}`, async () => {
    for (let pressed = 0; pressed < 20; pressed++) {
      if (await isThere()) return true;
      await target.page().keyboard.press("Tab");
    }
    return isThere();
  });
}

/** A tab, as wide as a laptop's, with its workspace and what its own page reports on the console. */
export async function openTab(browser, { width = 1280, height = 800 } = {}) {
  // Each has a context of its own, which axe asks for.
  const context = await browser.newContext({ viewport: { width, height } });
  const tab = await context.newPage();
  tab.setDefaultTimeout(PATIENCE);
  return { tab, problems: watchConsole(tab, { previews: false }), ui: workspace(tab) };
}

/** Starts a project in a tab of its own, and returns its address when its first run has succeeded. */
export async function build(browser, server, prompt) {
  const { tab, ui } = await openTab(browser);
  await ui.start(server.url, prompt);
  await ui.finished(1);
  const address = tab.url();
  await tab.context().close();
  return address;
}

export function workspace(page) {
  const runs = () => page.locator("[data-run-state]");
  const run = (number) => runs().nth(number - 1);
  const log = () => page.getByRole("log");
  return {
    runs,
    run,
    log,
    mode: (name) => page.getByRole("radiogroup", { name: "Mode" }).getByRole("radio", { name, exact: true }),
    preview: () => page.frameLocator('iframe[title="Preview"]'),

    /** Starts a project on the front page. */
    async start(url, prompt) {
      await page.goto(url);
      await page.getByRole("textbox", { name: "Describe the app you want to build" }).fill(prompt);
      await page.getByRole("button", { name: "Start Creating" }).click();
      await page.waitForURL(/\/projects\/[0-9a-f-]{36}$/);
    },

    async send(text) {
      await page.getByRole("textbox", { name: "Message" }).fill(text);
      await page.getByRole("button", { name: "Send" }).click();
    },

    /** Waits until the run with this number, counted from 1, has succeeded. */
    async finished(number, timeout = 180_000) {
      const state = await until(
        `run ${number} ends`,
        async () => {
          const state = (await runs().count()) >= number ? await run(number).getAttribute("data-run-state") : null;
          return ["succeeded", "failed", "cancelled"].includes(state) ? state : null;
        },
        timeout,
      );
      assert.equal(state, "succeeded", `run ${number} ${state}: ${await log().innerText()}`);
    },
  };
}

/** The Code tab of the project at the address, as a person uses it. */
export function code(page, address) {
  const tree = page.getByRole("tree", { name: "Files" });
  const editor = page.getByRole("textbox", { name: "Editor" });
  const pane = page.getByRole("region", { name: "File", exact: true });
  return {
    tree,
    editor,
    tabs: page.getByRole("tablist", { name: "Open files" }).getByRole("tab"),
    text: () => linesOf(editor),
    status: () => pane.getByRole("status").innerText(),
    says: (words) => until(`the editor says ${words}`, async () => (await pane.getByRole("status").innerText()) === words),
    async open(path) {
      await page.goto(`${address}?file=${encodeURIComponent(path)}`);
      await editor.waitFor();
    },
    /** Puts the text in the place of all there is. */
    async type(text) {
      await editor.click();
      await page.keyboard.press("ControlOrMeta+A");
      await page.keyboard.insertText(text);
    },
  };
}

/** The text of an editor, of which all lines can be seen. */
export const linesOf = (editor) =>
  editor.evaluate((content) => [...content.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n"));
