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
  await button("Clear").click();
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

  // A form: what is wrong is told, what is right is sent.
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
    ["Delete account", "Delete the account?"],
    ["Open filters", "Narrow down what is listed."],
    ["Set a goal", "Steps per day"],
    ["Dimensions", "Layer size"],
  ]) {
    await button(opener).click();
    await shown(page.getByText(content));
    await shot(opener.toLowerCase().replaceAll(" ", "-"));
    await close(page.getByText(content));
  }
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
  await button("Next slide").click();
  await page.waitForFunction(() => !document.querySelector("[data-slot=carousel-previous]").disabled);
  const handle = page.locator("[data-slot=resizable-handle]").first();
  const before = await handle.boundingBox();
  await handle.focus();
  await page.keyboard.press("ArrowRight");
  const after = await handle.boundingBox();
  assert.ok(after.x > before.x, `the handle moved from ${before.x} to ${after.x}`);
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
