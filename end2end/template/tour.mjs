// Uses every interactive component of the gallery as a person would, and fails where one does not answer.
import assert from "node:assert/strict";

/** Goes through the gallery at `page`, calling `shot(name)` while something is open. */
export async function tour(page, shot = async () => {}) {
  const section = (name) => page.getByRole("region", { name, exact: true });
  const button = (name, within = page) => within.getByRole("button", { name, exact: true });
  const shown = (locator) => locator.waitFor({ state: "visible", timeout: 10_000 });
  const gone = (locator) => locator.waitFor({ state: "hidden", timeout: 10_000 });
  const close = async (locator) => {
    await page.keyboard.press("Escape");
    await gone(locator);
  };

  // Charts are drawn in the browser alone: the page is at work by then.
  await shown(section("chart").locator(".recharts-bar-rectangle").first());

  // Disclosures.
  await button("How long does shipping take?").click();
  await shown(page.getByText("Two to four days."));
  await button("Three more").click();
  await shown(page.getByText("Hidden until asked for"));
  await page.getByRole("tab", { name: "Password" }).click();
  await shown(page.getByRole("tabpanel").getByText("Your password"));
  await page.getByRole("tab", { name: "Profile" }).focus();
  await page.keyboard.press("ArrowDown");
  await shown(page.getByRole("tabpanel").getByText("Your invoices"));
  await shown(section("direction").getByText("Reads rtl"));

  // Inputs.
  await page.getByRole("checkbox", { name: "Weekly digest" }).click();
  assert.equal(await page.getByRole("checkbox", { name: "Weekly digest" }).isChecked(), false);
  await page.getByRole("switch", { name: "Airplane mode" }).click();
  assert.equal(await page.getByRole("switch", { name: "Airplane mode" }).isChecked(), true);
  await page.getByRole("radio", { name: "compact" }).click();
  assert.equal(await page.getByRole("radio", { name: "compact" }).isChecked(), true);
  await page.getByRole("slider", { name: "Volume" }).focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.getByRole("slider", { name: "Volume" }).getAttribute("aria-valuenow"), "41");
  await page.getByRole("slider", { name: "Bass" }).focus();
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.getByRole("slider", { name: "Bass" }).getAttribute("aria-valuenow"), "61");
  await page.getByRole("switch", { name: "Quiet" }).click();
  assert.equal(await page.getByRole("switch", { name: "Quiet" }).isChecked(), false);
  await page.getByRole("radio", { name: "Top", exact: true }).focus();
  await page.keyboard.press("ArrowDown");
  await page.locator(":focus", { hasText: "Middle" }).press("Space");
  assert.equal(await page.getByRole("radio", { name: "Middle", exact: true }).isChecked(), true);
  await button("Bold", section("toggle")).click();
  assert.equal(await button("Bold", section("toggle")).getAttribute("aria-pressed"), "true");
  await button("Italic text").click();
  await page.getByRole("combobox", { name: "Fruit" }).click();
  await shown(page.getByRole("option", { name: "Banana" }));
  await shot("select");
  await page.getByRole("option", { name: "Banana" }).click();
  await shown(section("select").getByText("Banana"));
  await page.getByRole("combobox", { name: "Priority" }).selectOption("high");
  await page.getByRole("textbox", { name: "Code", exact: true }).pressSequentially("123456");
  await shown(section("input-otp").getByText("6", { exact: true }));

  // Combobox: one of many, several, and behind a button.
  const options = page.locator("[data-slot=combobox-item]");
  const framework = page.getByRole("combobox", { name: "Framework" });
  await framework.click();
  assert.equal(await options.count(), 5);
  await shot("combobox");
  await framework.pressSequentially("as");
  assert.deepEqual(await options.allTextContents(), ["Astro"]);
  await framework.pressSequentially("xyz");
  await shown(page.getByText("No framework found."));
  await framework.fill("nu");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await gone(options.first());
  assert.equal(await framework.inputValue(), "Nuxt");
  await button("Clear", section("combobox")).click();
  assert.equal(await framework.inputValue(), "");
  await button("Show options", section("combobox")).first().click();
  await shown(page.getByRole("option", { name: "Remix" }));
  await close(page.getByRole("option", { name: "Remix" }));
  const people = page.getByRole("combobox", { name: "People" });
  await people.pressSequentially("tur");
  await page.keyboard.press("Enter");
  await shown(section("combobox").locator("[data-slot=combobox-chip]", { hasText: "Alan Turing" }));
  await shot("combobox-chips");
  await close(options.first());
  await button("Remove Ada Lovelace").click();
  await gone(section("combobox").locator("[data-slot=combobox-chip]", { hasText: "Ada Lovelace" }));
  // Its list opened with the click on its chips.
  await page.keyboard.press("Escape");
  await button("Grace Hopper").click();
  await page.getByRole("combobox", { name: "Search people" }).pressSequentially("ada");
  await page.getByRole("option", { name: "Ada Lovelace" }).click();
  await shown(button("Ada Lovelace"));
  await button("City").click();
  await shown(page.getByRole("group", { name: "Europe" }).getByRole("option", { name: "Lisbon" }));
  await shot("combobox-groups");
  await page.getByRole("combobox", { name: "Search cities" }).pressSequentially("han");
  await gone(page.getByRole("group", { name: "Europe" }));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await shown(section("grouped combobox").getByText("Hanoi"));
  await button("Clear", section("grouped combobox")).click();
  await shown(section("grouped combobox").getByText("Anywhere"));

  // Dates.
  await section("calendar").locator("[data-day='2026-05-20'] button, button[data-day='2026-05-20']").first().click();
  await button("Due date").click();
  await shown(page.getByRole("dialog").getByText("May 2026"));
  await shot("date-picker");
  await page.keyboard.press("Escape");
  await button("Due date").click();
  await page.getByRole("dialog").getByText("14", { exact: true }).click();
  await shown(button("May 14th, 2026"));
  await button("Your stay").click();
  const month = page.getByRole("dialog").getByRole("grid").first();
  await month.getByText("11", { exact: true }).click();
  await month.getByText("15", { exact: true }).click();
  await shown(page.getByText("May 11, 2026 – May 15, 2026"));
  await shot("date-range");
  await close(page.getByRole("dialog"));

  // A form: errors are shown, valid input is sent.
  await button("Save the form").click();
  for (const wrong of ["The name is too short", "Pick a role", "You have to agree"]) await shown(page.getByText(wrong));
  await shot("form");
  await page.getByRole("textbox", { name: "Your name" }).fill("Ada");
  await page.getByRole("combobox", { name: "Role" }).click();
  await page.getByRole("option", { name: "Developer" }).click();
  await page.getByRole("checkbox", { name: "I agree" }).click();
  await button("Save the form").click();
  await shown(page.getByText("Saved Ada"));

  // What opens over the page.
  for (const [opener, content] of [
    ["Edit profile", "Your profile"],
    ["What is new", "Faster search"],
    ["Delete account", "Delete the account?"],
    ["Open filters", "Narrow down what is listed."],
    ["Sheet top", "From the top"],
    ["Sheet bottom", "From the bottom"],
    ["Sheet left", "From the left"],
    ["Set a goal", "Steps per day"],
    ["Drawer top", "Pulled from the top"],
    ["Drawer left", "Pulled from the left"],
    ["Drawer right", "Pulled from the right"],
    ["Dimensions", "Layer size"],
    ["Elsewhere", "Beside its anchor"],
  ]) {
    await button(opener).click();
    await shown(page.getByText(content));
    await shot(opener.toLowerCase().replaceAll(" ", "-"));
    await close(page.getByText(content));
  }
  await button("What is new").click();
  await button("Close", page.getByRole("dialog")).click();
  await gone(page.getByText("Faster search"));
  await button("@ada").hover();
  await shown(page.getByText("Wrote the first program"));
  await button("Hover me").hover();
  await shown(page.getByRole("tooltip"));
  await shot("tooltip");
  await button("Show a toast").click();
  await shown(page.getByText("Event created"));
  await shot("toast");
  await page.getByPlaceholder("Type a command").fill("calc");
  await shown(page.getByRole("option", { name: "Calculator" }));
  assert.equal(await section("command").getByRole("option").count(), 1);
  await page.getByPlaceholder("Type a command").fill("");
  await button("Open the palette").click();
  await shot("palette");
  await page.getByRole("option", { name: "Dashboard" }).click();
  await gone(page.getByPlaceholder("Where to?"));

  // Menus.
  await button("My account").click();
  await page.getByRole("menuitem", { name: "Invite users" }).hover();
  await shown(page.getByRole("menuitem", { name: "By email" }));
  await shot("dropdown-menu");
  await page.getByRole("menuitemradio", { name: "Alan" }).click();
  await page.getByText("Right click here").click({ button: "right" });
  assert.equal(await page.getByRole("menuitemradio", { name: "Alan" }).getAttribute("aria-checked"), "true");
  await page.getByRole("menuitem", { name: "More tools" }).hover();
  await shown(page.getByRole("menuitem", { name: "Developer tools" }));
  await shot("context-menu");
  await page.getByRole("menuitemcheckbox", { name: "Show bookmarks" }).click();
  await gone(page.getByRole("menuitem", { name: "More tools" }));
  await page.getByRole("menuitem", { name: "File" }).click();
  await shown(page.getByRole("menuitem", { name: "New tab" }));
  await page.getByRole("menuitem", { name: "Edit", exact: true }).hover();
  await shown(page.getByRole("menuitem", { name: "Delete all" }));
  await shot("menubar");
  await close(page.getByRole("menuitem", { name: "Delete all" }));
  await page.getByRole("menuitem", { name: "People" }).click();
  assert.equal(await page.getByRole("menuitemradio", { name: "Alan" }).getAttribute("aria-checked"), "true");
  await close(page.getByText("Written by"));
  // By its key: a pointer that rests on it would open it again.
  await button("Products").focus();
  await page.keyboard.press("Enter");
  await shown(page.getByRole("link", { name: "Analytics" }));
  await shot("navigation-menu");
  await close(page.getByRole("link", { name: "Analytics" }));

  // What moves.
  await section("chart").scrollIntoViewIfNeeded();
  assert.ok((await section("chart").locator(".recharts-bar-rectangle").count()) >= 8);
  assert.ok((await section("chart").locator(".recharts-pie-sector").count()) >= 3);
  await section("chart").locator(".recharts-bar-rectangle").nth(1).hover();
  await shown(section("chart").locator(".recharts-tooltip-wrapper").getByText("305"));
  await shot("chart");
  await button("Next slide", section("carousel")).first().click();
  await page.waitForFunction(() => !document.querySelector("[data-slot=carousel-previous]").disabled);
  await button("Next slide", page.getByRole("region", { name: "News" })).click();
  await shown(page.getByText("Shows 2"));
  const handle = page.locator("[data-slot=resizable-handle]").first();
  const before = await handle.boundingBox();
  await handle.focus();
  await page.keyboard.press("ArrowRight");
  const after = await handle.boundingBox();
  assert.ok(after.x > before.x, `the handle moved from ${before.x} to ${after.x}`);

  await tourChat(page, shot);
}

/** What chats are made of. */
async function tourChat(page, shot) {
  const section = (name) => page.getByRole("region", { name, exact: true });
  const button = (name) => page.getByRole("button", { name, exact: true });
  const shown = (locator) => locator.waitFor({ state: "visible", timeout: 10_000 });

  // The whole attachment is one button, but for its own.
  await button("Open Report.pdf").click();
  await shown(page.getByText("Opened Report.pdf"));
  await button("Remove Report.pdf").click();
  await shown(page.getByText("Removed", { exact: true }));
  await section("bubble").getByRole("button").click();
  await shown(page.getByText("A bubble was chosen"));

  const scroller = section("message-scroller");
  const viewport = scroller.locator("[data-slot=message-scroller-viewport]");
  const where = scroller.getByRole("status", { name: "Where the reader is" });
  const place = (text) =>
    scroller.getByText(text, { exact: true }).evaluate((element) => {
      const frame = element.closest("[data-slot=message-scroller-viewport]").getBoundingClientRect();
      return Math.round(element.getBoundingClientRect().top - frame.top);
    });
  const settled = () =>
    viewport.evaluate(async (element) => {
      for (let last = -1; last !== element.scrollTop; ) {
        last = element.scrollTop;
        await new Promise((done) => setTimeout(done, 150));
      }
    });
  await scroller.scrollIntoViewIfNeeded();
  await shown(where.getByText("At the end"));

  // Who reads is left where they are, whatever comes before.
  await button("To question 2").click();
  await settled();
  const before = await place("Question 2");
  assert.ok(Math.abs(before) <= 24, `question 2 is at the top: ${before}`);
  await shown(where.getByText("in the turn of line-2"));
  await button("Load earlier").evaluate((element) => element.click());
  await shown(scroller.getByText("Said 1 days before").first());
  await settled();
  assert.ok(Math.abs((await place("Question 2")) - before) <= 1, "what is read stays where it is");

  // A question goes to the top, and its answer grows under it; then the end is followed.
  await button("Ask").click();
  await page.waitForTimeout(700);
  await shot("message-scroller-asked");
  await settled();
  await page.waitForTimeout(500);
  await settled();
  await shown(where.getByText("At the end"));
  await shot("message-scroller-answered");

  // Who scrolls up while it is written is not pulled down again.
  await button("Ask").click();
  await page.waitForTimeout(600);
  await viewport.hover();
  await page.mouse.wheel(0, -600);
  await settled();
  const left = await viewport.evaluate((element) => element.scrollTop);
  await page.waitForTimeout(600);
  assert.equal(await viewport.evaluate((element) => element.scrollTop), left);
  await shown(where.getByText("More below"));
  await button("Scroll to end").click();
  await shown(where.getByText("At the end"));
  await button("Scroll to start").click();
  await settled();
  assert.equal(await viewport.evaluate((element) => element.scrollTop), 0);

  // Questions one by one: by the keyboard, with one's own words, and skipped.
  const survey = section("questionnaire");
  await button("Next").click();
  await shown(survey.getByText("Choose an answer to continue."));
  await shot("questionnaire-error");
  const search = survey.getByRole("radio", { name: "Search" });
  assert.equal(await search.evaluate((element) => element === document.activeElement), true);
  await page.keyboard.press("b");
  assert.equal(await survey.getByRole("radio", { name: "Calendar" }).isChecked(), true);
  await survey.getByRole("textbox", { name: "Another answer" }).fill("A game");
  assert.equal(await survey.getByRole("radio", { name: "Calendar" }).isChecked(), false);
  await page.keyboard.press("Enter");
  await shown(survey.getByText("Question 2 of 3"));
  await survey.getByRole("checkbox", { name: "Phone" }).click();
  await page.keyboard.press("b");
  await shot("questionnaire");
  await button("Next").click();
  await shown(survey.getByRole("group", { name: "Anything else?" }));
  await button("Previous").click();
  assert.equal(await survey.getByRole("checkbox", { name: "Desktop" }).isChecked(), true);
  await button("Next").click();
  await button("Skip").click();
  await shown(page.getByText("what: A game, where: phone and desktop, more: nothing"));
}

/** Folds the sidebar at `page` and unfolds it by its key. */
export async function tourSidebar(page, shot = async () => {}) {
  const phone = page.viewportSize().width < 768;
  const home = page.getByRole("button", { name: "Home" });
  const trigger = page.locator("[data-slot=sidebar-trigger]");
  if (phone) {
    await trigger.click();
    await home.waitFor({ state: "visible" });
    await shot("sidebar-open");
    return;
  }
  const state = (state) => page.locator(`[data-slot=sidebar][data-state=${state}]`).waitFor({ state: "attached" });
  await trigger.click();
  await state("collapsed");
  await home.hover();
  await page.getByRole("tooltip").waitFor();
  await shot("sidebar-folded");
  await page.keyboard.press("Control+b");
  await state("expanded");
}
