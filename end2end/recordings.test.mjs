// The demo's other recordings: each is built in a real sandbox, used in the preview, and changed by a follow-up.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, stopAll, test } from "./suite.mjs";
import { join, resolve } from "node:path";
import { Sandbox } from "e2b";
import { PATIENCE, results, startHost, startProfile, startServer, until } from "./server.mjs";
import { watchConsole, workspace } from "./workspace.mjs";

let server;
let browser;
let page;
let problems;
let ui;

before(async () => {
  server = await startServer({ SANDBOX_POOL_SIZE: "1" });
  browser = await startProfile({ viewport: { width: 1440, height: 900 }, colorScheme: "light" });
  page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  problems = watchConsole(page);
  ui = workspace(page);
});

after(() => stopAll(browser, server));

/** Does something until it shows: an app is seen before its script has taken it over. */
const untilSeen = (locator, act) =>
  until(
    `the app shows ${locator}`,
    async () => {
      await act();
      return locator.waitFor({ timeout: 2_000 }).then(() => true, () => false);
    },
    60_000,
  );

/** Waits until `act` returns something true, on a page that its dev server may reload in the middle of it. */
const despiteReloads = (what, act) =>
  until(
    what,
    () =>
      act().catch((error) => {
        if (!/interrupted by another navigation|ERR_ABORTED|context was destroyed/.test(error.message)) throw error;
      }),
    60_000,
  );

/** The result names the recording's journeys, each with a picture of its end, one of which is looked at. */
async function passedJourneys(recording) {
  const folder = join(recordings, recording, "build/tests/journeys");
  const titles = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")).title);
  const ends = ui.run(1).getByRole("list", { name: "Journeys that passed" }).getByRole("button");
  assert.deepEqual(
    (await ends.locator("img").evaluateAll((pictures) => pictures.map(({ alt }) => alt))).sort(),
    titles.map((title) => `How “${title}” ended`).sort(),
  );
  await ends.first().press("Enter");
  const large = page.getByRole("dialog").locator("img");
  await until("the picture is there", () => large.evaluate((picture) => picture.complete && picture.naturalWidth === 640));
  await page.keyboard.press("Escape");
  await large.waitFor({ state: "detached" });
}

/** Adds the dark mode toggle, and uses it. */
async function addToggle() {
  await ui.send("Add a dark mode toggle");
  await ui.finished(2);
  const toggle = ui.preview().getByRole("button", { name: "Dark mode" });
  await toggle.click();
  await until("the app is dark", () => ui.preview().locator("html.dark").count());
}

test("a kanban board is built, gets a card, and a dark mode", async () => {
  await ui.start(server.url, "Build a kanban board");
  await ui.finished(1);
  await passedJourneys("kanban-board");
  await ui.preview().getByRole("button", { name: "New card" }).click();
  const dialog = ui.preview().getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Title" }).fill("Try it out");
  await dialog.getByRole("button", { name: /add|create|save/i }).click();
  await ui.preview().getByText("Try it out").first().waitFor();

  // Moved, edited, deleted and brought back, and all of it there after a reload.
  const app = ui.preview();
  const column = (name) => app.getByRole("region", { name });
  const card = (title) => app.getByRole("heading", { name: title, level: 3 });
  await app.getByRole("button", { name: "Move Try it out to In progress" }).click();
  await column("In progress").getByRole("heading", { name: "Try it out" }).waitFor();
  await app.getByRole("button", { name: "Edit Try it out" }).click();
  await dialog.getByRole("textbox", { name: "Title" }).fill("Try it twice");
  await dialog.getByText("High", { exact: true }).click();
  await dialog.getByRole("button", { name: "Save changes" }).click();
  await column("In progress").getByRole("listitem").filter({ hasText: "Try it twice" }).getByText(/^High/).waitFor();
  await app.getByRole("button", { name: "Delete Try it twice" }).click();
  await card("Try it twice").waitFor({ state: "detached" });
  await app.getByRole("button", { name: "Undo" }).click();
  await card("Try it twice").waitFor();
  await page.reload();
  await column("In progress").getByRole("heading", { name: "Try it twice" }).waitFor();
  await addToggle();
  await page.screenshot({ caret: "initial", path: join(results, "kanban-board.png"), caret: "initial" });
});

test("a landing page is built, its prices switched, a question opened, a plan signed up for, and gets a dark mode", async () => {
  await ui.start(server.url, "Create a landing page with a hero and pricing");
  await ui.finished(1);
  await passedJourneys("landing-page");
  await ui.preview().getByRole("heading", { level: 1 }).waitFor();
  const app = ui.preview();
  const team = app.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Team", exact: true }) });
  await team.getByText("€9", { exact: true }).waitFor();
  await untilSeen(team.getByText("€7", { exact: true }), () => app.getByRole("switch", { name: "Billed yearly" }).click());
  const answer = app.getByText("About ten minutes.");
  assert.equal(await answer.isVisible(), false);
  await app.getByText("How long does it take to set up?").click();
  await answer.waitFor();
  await team.getByRole("button", { name: "Try 30 days free: Team" }).click();
  const dialog = app.getByRole("dialog", { name: "Tideline Team" });
  await dialog.getByLabel("Email").fill("ada");
  await dialog.getByRole("button", { name: "Try 30 days free" }).click();
  await dialog.getByText("An email address looks like you@example.com.").waitFor();
  await dialog.getByLabel("Email").fill("ada@example.com");
  await dialog.getByRole("button", { name: "Try 30 days free" }).click();
  await app.getByText("We write to ada@example.com about Team.").waitFor();
  await app.getByRole("button", { name: "Done" }).click();
  await app.getByRole("dialog").waitFor({ state: "detached" });
  await addToggle();
  await page.screenshot({ caret: "initial", path: join(results, "landing-page.png"), caret: "initial" });
});

test("a dashboard is built, its range switched, its table sorted and searched, and exported", async () => {
  await ui.start(server.url, "Build an analytics dashboard with charts");
  await ui.finished(1);
  await passedJourneys("analytics-dashboard");
  const app = ui.preview();
  const figures = app.getByRole("list", { name: "Key figures" }).getByRole("listitem");
  const rows = app.locator("tbody tr");
  const revenue = () => figures.first().innerText();
  await figures.first().waitFor();
  const ofAMonth = await revenue();

  await untilSeen(app.getByText("Per day, against the 90 days before"), () => app.getByText("90 days", { exact: true }).click());
  assert.equal(await figures.count(), 4);
  assert.notEqual(await revenue(), ofAMonth);
  for (const [chart, mark] of [["Revenue", "path.recharts-area-area"], ["Orders by weekday", ".recharts-bar-rectangle path"], ["Visitors by channel", "path.recharts-sector"]]) {
    const card = app.locator("[data-slot=card]", { has: page.getByRole("heading", { name: chart }) });
    await card.locator(`svg ${mark}`).first().waitFor();
  }

  await app.getByRole("button", { name: "Product", exact: true }).click();
  await until("the products are sorted by name", async () => /Barista class/.test(await rows.first().innerText()));
  await app.getByRole("button", { name: "Product", exact: true }).click();
  await until("and the other way round", async () => /Tasting box/.test(await rows.first().innerText()));
  await app.getByRole("searchbox", { name: "Search products" }).fill("equip");
  await app.getByText("3 of 12 products").waitFor();
  assert.equal(await rows.count(), 3);
  await page.screenshot({ caret: "initial", path: join(results, "analytics-dashboard.png"), caret: "initial" });

  await ui.send("Let me export the table as CSV");
  await ui.finished(2);
  const search = app.getByRole("searchbox", { name: "Search products" });
  await app.getByRole("button", { name: "Export CSV" }).waitFor();
  await untilSeen(app.getByText("1 of 12 products"), () => search.fill("kettle"));
  const [file] = await Promise.all([page.waitForEvent("download"), app.getByRole("button", { name: "Export CSV" }).click()]);
  assert.equal(file.suggestedFilename(), "products.csv");
  assert.match(await readFile(await file.path(), "utf8"), /^\uFEFFProduct,Category,Orders,Revenue,Change\r\nPour-over kettle,Equipment,\d+,\d+,-?\d+\.\d\r\n$/);
});

test("Markdown notes are built, one is written, found, kept over a reload, deleted and brought back, and formatted", async () => {
  await ui.start(server.url, "Write me a Markdown notes app with live preview");
  await ui.finished(1);
  await passedJourneys("markdown-notes");
  const app = ui.preview();
  const field = app.getByRole("textbox", { name: "Markdown" });
  const shown = app.getByRole("region", { name: "Preview" });
  const notes = app.getByRole("navigation", { name: "Notes" }).getByRole("button");
  const search = app.getByRole("searchbox", { name: "Search notes" });
  await untilSeen(notes.filter({ hasText: "New note" }).first(), () => app.getByRole("button", { name: "New note", exact: true }).click());
  await field.fill("# Trip\n\nPack **warm** socks <img src=x onerror=alert(1)> and [a map](javascript:alert(1)).\n\n- [x] Tent\n- Stove");
  await shown.getByRole("heading", { name: "Trip" }).waitFor();
  assert.equal(await shown.locator("strong").innerText(), "warm");
  assert.equal(await shown.getByRole("listitem").count(), 2);
  assert.match(await shown.innerText(), /<img src=x onerror=alert\(1\)>/);
  const written = await field.inputValue();
  await field.fill("[see https://a.example and *more*](https://b.example) snake__case__name __strong__\n\n| a | b |\n|---|---|\n| `x|y` | z |");
  await shown.locator("a").waitFor();
  assert.deepEqual(await shown.locator("a").allInnerTexts(), ["see https://a.example and more"]);
  assert.deepEqual(await shown.locator("strong").allInnerTexts(), ["strong"]);
  assert.deepEqual(await shown.locator("td").allInnerTexts(), ["x|y", "z"]);
  await field.fill(written);
  await shown.getByRole("heading", { name: "Trip" }).waitFor();
  assert.equal(await shown.locator("img, a").count(), 0, "what a note says is never markup");

  await page.reload();
  await search.waitFor();
  await untilSeen(app.getByText("No note has “nothing like it”"), () => search.fill("nothing like it"));
  await search.fill("socks tent");
  await until("only the note is found", async () => (await notes.count()) === 1);
  await notes.first().click();
  await shown.getByRole("heading", { name: "Trip" }).waitFor();
  await app.getByRole("button", { name: "Delete note" }).click();
  await app.getByText("No note has “socks tent”").waitFor();
  await app.getByRole("button", { name: "Undo" }).click();
  await shown.getByRole("heading", { name: "Trip" }).waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "markdown-notes.png"), caret: "initial" });

  await ui.send("Add a formatting toolbar");
  await ui.finished(2);
  const bold = app.getByRole("group", { name: "Formatting" }).getByRole("button", { name: "Bold" });
  await bold.waitFor();
  await search.fill("socks tent");
  await notes.first().click();
  await shown.getByRole("heading", { name: "Trip" }).waitFor();
  await field.evaluate((element) => element.setSelectionRange(element.value.length - 5, element.value.length));
  await bold.click();
  await shown.locator("strong", { hasText: "Stove" }).waitFor();
});

test("a pricing page is built, its prices follow the period and the plan, and get a currency", async () => {
  await ui.start(server.url, "Make a pricing page with a yearly switch");
  await ui.finished(1);
  await passedJourneys("pricing-page");
  const app = ui.preview();
  const estimate = app.getByRole("status");
  const growth = app.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Growth" }) });
  await growth.getByText("$25", { exact: true }).waitFor();
  await untilSeen(growth.getByText("$20", { exact: true }), () => app.locator("label", { hasText: "Yearly" }).click());
  assert.match(await estimate.innerText(), /Growth costs \$1,200 a year/);
  await app.getByRole("button", { name: "Choose Scale" }).click();
  // It may be empty while it is typed, and is never more than there may be.
  await app.getByLabel("People who answer").fill("");
  assert.equal(await app.getByLabel("People who answer").inputValue(), "");
  await app.getByLabel("People who answer").fill("10");
  await app.getByText("Scale costs $4,800 a year").waitFor();
  assert.equal(await app.getByRole("row", { name: /^Single sign-on/ }).getByText("Included", { exact: true }).count(), 1);
  const answer = app.getByText("You need no card");
  assert.equal(await answer.isVisible(), false);
  await app.getByText("Is there a free trial?").click();
  await answer.waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "pricing-page.png"), caret: "initial" });

  await ui.send("Let visitors choose a currency");
  await ui.finished(2);
  await app.getByLabel("Currency").waitFor();
  await untilSeen(growth.getByText(/^¥/).first(), () => app.getByLabel("Currency").selectOption("JPY"));
  await app.getByRole("button", { name: "Choose Starter" }).click();
  await app.getByText(/Starter costs ¥[\d,]+ a /).waitFor();
});

test("a quiz is built, played to its end with the keyboard, remembers the best score, and gets a timer", async () => {
  const right = ["Saturn", "About 8 minutes", "Three", "Mercury", "In the ear", "Nitrogen", "Antarctica", "Ada Lovelace"];
  await ui.start(server.url, "Create a quiz with scores and answers explained");
  await ui.finished(1);
  await passedJourneys("quiz");
  const app = ui.preview();
  const start = () => app.getByRole("button", { name: "Start the quiz" }).click();
  await untilSeen(app.getByText("Question 1 of 8"), start);
  for (let number = 1; number <= 8; number += 1) {
    await app.getByText(`Question ${number} of 8`).waitFor();
    // A number stands before each answer.
    const answers = (await app.getByRole("listitem").allInnerTexts()).map((text) => text.replace(/^\d\s*/, "").trim());
    const place = answers.findIndex((answer) => right.includes(answer));
    assert.ok(place >= 0, `one of ${answers} is right`);
    // All but the last are answered right.
    await page.keyboard.press(String(number < 8 ? place + 1 : ((place + 1) % 4) + 1));
    await app.getByText(number < 8 ? "Right!" : `It is: ${answers[place]}.`).waitFor();
    await page.keyboard.press("Enter");
  }
  await app.getByRole("heading", { name: "7 of 8 right" }).waitFor();
  assert.equal(await app.getByRole("img", { name: "Right" }).count(), 7);
  assert.equal(await app.getByRole("img", { name: "Wrong" }).count(), 1);
  await page.screenshot({ caret: "initial", path: join(results, "quiz.png"), caret: "initial" });
  await app.getByRole("button", { name: "Play again" }).click();
  await app.getByText("Question 1 of 8").waitFor();
  await page.reload();
  await app.getByText("Best 7 of 8").waitFor();

  await ui.send("Add a timer to each question");
  await ui.finished(2);
  await page.reload();
  await untilSeen(app.getByRole("timer"), start);
  await app.getByText("Time is up.").waitFor({ timeout: 20_000 });
  await app.getByRole("button", { name: "Next question" }).click();
  await app.getByText("Question 2 of 8").waitFor();
});

test("a weather app is built, finds a city, switches units, remembers both, and gets favorites", async () => {
  await ui.start(server.url, "Show me a weather app with sample data");
  await ui.finished(1);
  await passedJourneys("weather");
  const app = ui.preview();
  const now = app.getByRole("region", { name: "Now" });
  const search = app.getByRole("searchbox", { name: "Search for a city" });
  const cities = app.getByRole("region", { name: "Cities" }).getByRole("listitem");
  await now.getByRole("heading", { name: "Lisbon" }).waitFor();
  await untilSeen(app.getByText("1 city", { exact: true }), () => search.fill("reykjavik"));
  assert.match(await cities.innerText(), /Reykjavík/);
  await search.press("Enter");
  await now.getByRole("heading", { name: "Reykjavík" }).waitFor();
  await now.getByText("Temperature: −1°").waitFor();
  await app.getByText("°F", { exact: true }).click();
  await now.getByText("Temperature: 30°").waitFor();
  assert.equal(await app.getByRole("list", { name: "Next 24 hours" }).getByRole("listitem").count(), 24);
  assert.equal(await app.getByRole("region", { name: "7 days" }).getByRole("listitem").count(), 7);
  await page.reload();
  await now.getByText("Temperature: 30°").waitFor();
  await page.screenshot({ caret: "initial", path: join(results, "weather.png"), caret: "initial" });

  await ui.send("Let me star favorite cities");
  await ui.finished(2);
  const star = now.getByRole("button", { name: "Reykjavík is a favorite" });
  await star.waitFor();
  assert.match(await cities.first().innerText(), /Berlin/);
  await untilSeen(cities.first().filter({ hasText: "Reykjavík" }), async () => {
    if ((await star.getAttribute("aria-pressed")) === "false") await star.click();
  });
});

test("nothing was reported on the console, by the page or by the apps in it", () => {
  assert.deepEqual(problems, []);
});

test("every change that is not asked for above fits its app: its types, its page, its dark mode", async () => {
  await page.close();
  await server.stop();
  const host = await startHost();
  const sandbox = await Sandbox.create("nextjs", { apiKey: host.key, apiUrl: host.url, sandboxUrl: host.url, timeoutMs: 600_000 });
  const address = `http://${sandbox.getHost(3000)}/`;
  const view = await browser.newPage();
  view.setDefaultTimeout(PATIENCE);
  const said = watchConsole(view);
  const load = (what) => despiteReloads(`${what} answers`, async () => (await view.goto(address))?.status() === 200);
  const played = ["kanban-board/toggle", "landing-page/toggle", "todo-app/blue"];
  try {
    const { arrange } = wardrobe(sandbox);
    for (const recording of readdirSync(recordings).filter((name) => existsSync(join(recordings, name, "recording.json")))) {
      const { turns, follow_ups: followUps } = JSON.parse(readFileSync(join(recordings, recording, "recording.json"), "utf8"));
      const build = written(turns, recording, "build");
      for (const { slug, turns } of followUps) {
        const change = `${recording}/${slug}`;
        if (played.includes(change) || !["toggle", "blue", "due-dates"].includes(slug)) continue;
        await arrange(build);
        // Pages that are there get the change by hot reload, as they do while a person watches.
        await view.emulateMedia({ colorScheme: slug === "toggle" ? "dark" : "light" });
        await load(`the build before ${change}`);
        // The server may not have been up at the first time of asking.
        said.length = 0;
        // What the app before it stored.
        await despiteReloads("the storage is empty", () => view.evaluate(() => (localStorage.clear(), true)));
        await view.waitForFunction(() => Object.keys(document.querySelector("main") ?? {}).some((key) => key.startsWith("__react")));
        await arrange(new Map([...build, ...written(turns, recording, slug)]));
        if (slug === "toggle") {
          const toggle = view.getByRole("button", { name: "Dark mode" });
          // A change that comes before the page listens for changes is seen when it is loaded again.
          await toggle.waitFor({ timeout: 15_000 }).catch(() => load(change));
          await view.locator("html.dark").waitFor({ state: "attached" });
          await toggle.click();
          await view.locator("html:not(.dark)").waitFor({ state: "attached" });
        }
        await load(change);
        await view.locator("h1, main").first().waitFor();
        if (slug !== "blue") {
          const checked = await sandbox.commands.run("npm run --silent typecheck", { timeoutMs: 120_000 }).catch((error) => error);
          assert.equal(checked.stdout, "", change);
        }
        assert.deepEqual(said, [], change);
      }
    }
  } finally {
    // The page ends with the browser: Chromium forgets to close one that reloads itself meanwhile.
    await sandbox.kill();
    await host.stop();
  }
});

const recordings = resolve(import.meta.dirname, "../src/llm/demo/recordings");
const template = resolve(import.meta.dirname, "../sandbox-templates/nextjs");

/** The files that a recording's turns write, by path. */
function written(turns, recording, part) {
  const paths = turns.flatMap(({ calls = [] }) => calls.filter(({ tool }) => tool === "createOrUpdateFiles").flatMap(({ files }) => files));
  const places = [join(recordings, recording, part), join(recordings, "shared", part)];
  const content = (path) => readFileSync(join(places.find((place) => existsSync(join(place, path))) ?? places[0], path), "utf8");
  return new Map(paths.map((path) => [path, content(path)]));
}

/** Dresses the app in a sandbox: what it had on that is not among the new files is taken off. */
function wardrobe(sandbox) {
  let worn = new Map();
  return {
    async arrange(files) {
      const own = [...worn.keys()].filter((path) => !files.has(path));
      const restored = own.filter((path) => existsSync(join(template, path)));
      const fresh = [...files, ...restored.map((path) => [path, readFileSync(join(template, path), "utf8")])];
      const changed = fresh.filter(([path, data]) => worn.get(path) !== data);
      await sandbox.files.write(changed.map(([path, data]) => ({ path, data })));
      for (const path of own.filter((path) => !restored.includes(path))) await sandbox.files.remove(path);
      worn = new Map(files);
    },
  };
}
