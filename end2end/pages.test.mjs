// Every page and open dialog that no other test looks at, in both themes: nothing serious is wrong for people who use assistive technology,
// and at three widths nothing is wider than the window, and no text is cut off without a sign. Pictures of all are in results/pages.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, stopAll, test } from "./suite.mjs";
import { assertAccessible, preferTheme } from "./accessible.mjs";
import { done, run, startModel, write } from "./model.mjs";
import { PASSWORD } from "./people.mjs";
import { PATIENCE, results, startBrowser, startServer, until } from "./server.mjs";
import { workspace } from "./workspace.mjs";

const LIMIT = { timeout: 300_000 };
const SIZES = [[1024, 768], [390, 844], [1920, 1080]];
const PATH = "app/page.tsx";
const app = (words) => `export default function Page() {\n  return <h1>${words}</h1>;\n}\n`;
const pictures = join(results, "pages");
mkdirSync(pictures, { recursive: true });

let model;
let server;
let browser;
let cookie;
let project;
let page;
let ui;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (prompt.startsWith("Fail")) return { status: 400, message: "The scripted model refuses this." };
    if (prompt.startsWith("Wait")) return run("sleep 600");
    return turn > 0 ? done : write({ [PATH]: app(prompt.startsWith("Change") ? "Second words" : "First words"), "notes.md": "# Notes\n" });
  });
  server = await startServer({ ...model.env, AUTH: "on" });
  browser = await startBrowser();
  const answer = await send("/api/account/sign-up", { email: "ada@example.com", password: PASSWORD });
  cookie = answer.headers.get("set-cookie").split(";")[0];
  const context = await browser.newContext({ viewport: { width: 1024, height: 768 }, reducedMotion: "reduce" });
  const [name, value] = cookie.split("=");
  await context.addCookies([{ name, value, url: server.url }]);
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  ui = workspace(page);
  await ui.start(server.url, "Build a page");
  await ui.finished(1);
  await ui.send("Change the words");
  await ui.finished(2);
  project = page.url().split("/").at(-1);
});

after(() => stopAll(browser, server, model));

/** Calls a server function as a script of the same person. */
const send = (path, fields) =>
  fetch(`${server.url}${path}`, { method: "POST", headers: { accept: "application/json", ...(cookie && { cookie }) }, body: new URLSearchParams(fields) });

const go = async (path) => {
  await page.goto(`${server.url}${path}`);
  await page.waitForFunction(() => "live" in document.documentElement.dataset);
};
const button = (name) => page.getByRole("button", { name, exact: true });
const dialog = (name) => page.getByRole("dialog", { name });
const editor = () => page.getByRole("textbox", { name: "Editor" });
const inWorkspace = (query = "") => go(`/projects/${project}${query}`);
const lastState = (state) => until(`the run is ${state}`, async () => (await ui.runs().last().getAttribute("data-run-state")) === state);

async function openMenu(path, name) {
  await go(path);
  await button(name).first().click();
  await page.locator("[role=menu]:popover-open").waitFor();
}

async function code() {
  await page.goto(`${server.url}/projects/${project}?file=${PATH}`);
  await editor().getByText("Second words").waitFor();
}

async function conflict() {
  await code();
  const first = async (route) => {
    const read = `${server.url}/api/files/read?project=${project}&path=${PATH}&plain=true`;
    const { hash } = await (await fetch(read, { headers: { cookie, accept: "application/json" } })).json();
    await send("/api/files/write", { project, path: PATH, content: app("From elsewhere"), base: hash });
    await route.continue();
  };
  await page.route("**/api/files/write", first, { times: 1 });
  await editor().click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.insertText(app("Typed here"));
  await page.getByRole("alert").filter({ hasText: "Your text is kept here" }).waitFor();
}

async function versions() {
  await inWorkspace();
  await button("Versions").click();
  await page.getByRole("list", { name: "Versions" }).getByRole("listitem").first().waitFor();
}

/** What is looked at, and how one comes there. What one does stays: the runs that fail and wait are the last. */
const VIEWS = {
  "not-found": () => go("/no/such/page"),
  "menu-project": () => openMenu("/", "More"),
  "menu-theme": () => openMenu(`/projects/${project}`, "Theme"),
  "menu-account": () => openMenu(`/projects/${project}`, "Account"),
  workspace: async () => {
    await inWorkspace();
    await ui.preview().getByRole("heading", { name: "Second words" }).waitFor();
    await button("Phone").waitFor();
  },
  "workspace-title": async () => {
    await inWorkspace();
    await button("Rename project").click();
    await page.getByRole("textbox", { name: "Project title" }).fill(" ");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("A project needs a title").waitFor();
  },
  toast: async () => {
    await inWorkspace();
    await page.getByRole("log").locator(".message").last().hover();
    await page.getByRole("log").locator(".message").last().getByRole("button", { name: "Copy" }).click();
    // It stays while the focus is on it.
    await button("Dismiss").focus();
  },
  code,
  "code-new-file": async () => {
    await code();
    await button("New file").click();
    await dialog("New file").getByRole("textbox").fill("node_modules/x.js");
    await button("Create").click();
    await dialog("New file").getByRole("alert").filter({ hasText: "node_modules" }).waitFor();
  },
  "code-rename": async () => {
    await code();
    await button("Rename or move").click();
    await dialog("Rename or move").waitFor();
  },
  "code-delete": async () => {
    await code();
    await button("Delete").click();
    await page.getByRole("dialog").getByText(`Delete ${PATH}?`).waitFor();
  },
  "code-compare": async () => {
    await code();
    await button("Compare").click();
    await page.getByRole("dialog").locator(".cm-editor").first().waitFor();
  },
  "code-search": async () => {
    await code();
    await button("Search in all files").click();
    await page.getByRole("searchbox", { name: "Search in all files" }).fill("export default");
    await page.getByRole("button", { name: /line 1: export default/ }).first().waitFor();
  },
  "code-conflict": conflict,
  "code-resolve": async () => {
    await page.getByRole("button", { name: "Resolve" }).click();
    await page.getByRole("dialog").getByRole("textbox", { name: "Your text" }).waitFor();
  },
  versions,
  "version-preview": async () => {
    await inWorkspace("?version=1");
    await page.frameLocator('iframe[title="Preview of the version"]').getByRole("heading", { name: "First words" }).waitFor({ timeout: 2 * PATIENCE });
  },
  "version-code": async () => {
    await inWorkspace("?version=1");
    await page.getByRole("tablist", { name: "The version" }).getByRole("tab", { name: "Code" }).click();
    await page.getByRole("treeitem", { name: "page.tsx" }).click();
    await page.getByLabel(`The text of ${PATH}`).waitFor();
  },
  share: async () => {
    await inWorkspace();
    await button("Share").click();
    const toggle = dialog("Share").getByRole("switch", { name: "Anyone with the link" });
    if ((await toggle.getAttribute("aria-checked")) === "false") await toggle.click();
    await dialog("Share").getByRole("textbox", { name: "Link", exact: true }).waitFor();
    await dialog("Share").getByRole("textbox", { name: "Invite by email" }).fill("somebody@example.com");
    await dialog("Share").getByRole("button", { name: "Invite" }).click();
    await dialog("Share").getByRole("list", { name: "Invitations" }).waitFor();
  },
  "run-failed": async () => {
    await inWorkspace();
    await ui.send("Fail, please");
    await lastState("failed");
    await ui.runs().last().getByRole("button", { name: "Try again" }).waitFor();
  },
  "run-stopped": async () => {
    await inWorkspace();
    await ui.send("Wait for me");
    await lastState("running");
    await button("Stop").click();
    await lastState("cancelled");
  },
  "run-queued": async () => {
    await inWorkspace();
    await ui.send("Wait again");
    await lastState("running");
    await ui.send("Then this");
    await lastState("queued");
  },
  editing: async () => {
    const message = page.getByRole("log").locator(".message").filter({ hasText: "Wait for me" });
    await message.hover();
    await message.getByRole("button", { name: "Edit" }).click();
    await page.getByText("Editing a message.").waitFor();
  },
};

/** What is wrong with the page at its present width: its own scrolling sideways, and text that is cut off without a sign. */
const misfits = () =>
  page.evaluate(() => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    const scrolls = (element) => element && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const cut = [...document.querySelectorAll("body *")].filter((element) => {
      // Narrower than a letter is what only screen readers get.
      if (element.scrollWidth <= element.clientWidth + 1 || element.clientWidth < 4 || !hasText(element)) return false;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
      return getComputedStyle(element).textOverflow !== "ellipsis" && !scrolls(element);
    });
    const texts = cut.map((element) => `is cut off: ${element.outerHTML.slice(0, 200)}`);
    return wide > 0 ? [`is ${wide} px wider than the window`, ...texts] : texts;
  });

/** What a phone shows only when it is asked for. */
const ON_PHONE = {
  "code-search": async () => {
    if (await button("All files").isVisible()) await button("All files").click();
  },
};

for (const [name, open] of Object.entries(VIEWS)) {
  test(`${name} is accessible and fits`, LIMIT, async () => {
    await page.setViewportSize({ width: 1024, height: 768 });
    await open();
    const faults = [];
    for (const theme of ["light", "dark"]) {
      await preferTheme(page, theme);
      for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height });
        if (width < 768) await ON_PHONE[name]?.();
        // A frame for the layout, and one for what follows it.
        await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
        const where = `${name}, ${theme}, ${width}`;
        if (width === SIZES[0][0]) await assertAccessible(page, where).catch((error) => faults.push(error.message));
        faults.push(...(await misfits()).map((fault) => `${where}: ${fault}`));
        await page.screenshot({ caret: "initial", path: join(pictures, `${name}-${theme}-${width}.png`) });
      }
      await page.setViewportSize({ width: SIZES[0][0], height: SIZES[0][1] });
    }
    assert.deepEqual(faults, [], faults.join("\n"));
  });
}
