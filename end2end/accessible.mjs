// What axe (Deque) finds wrong with a page for people who use assistive technology: nothing serious is let through.
import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";

/** A phone, a laptop and a wide screen, in pixels. */
export const WIDTHS = [390, 1024, 1920];

/** Fails when the page, or what of it is in `within`, has a serious or critical violation. `where` names it in the message. */
export async function assertAccessible(page, where, within = "html") {
  // A colour on its way to another one is nobody's choice.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().filter((each) => each instanceof CSSTransition).map((each) => each.finished)));
  // In legacy mode, the results are not put together on a page of their own.
  const axe = new AxeBuilder({ page }).setLegacyMode().include(within).exclude("iframe").options({ resultTypes: ["violations"] });
  const { violations } = await axe.analyze();
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const text = grave.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `  ${node.html}\n  ${node.failureSummary}`).join("\n")}`);
  assert.equal(grave.length, 0, `${where}:\n${text.join("\n")}`);
}

/** Prefers a theme on the page, as its menu does. */
export async function preferTheme(page, theme) {
  await page.evaluate((value) => globalThis.codeflow.remember("theme", value), theme);
}

/** At every width and in both themes: nothing is wider than the window, and axe finds nothing serious. Takes pictures, named with `picture`. */
export async function assertFits(page, where, picture) {
  for (const theme of ["light", "dark"]) {
    await preferTheme(page, theme);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width < 600 ? 844 : 900 });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${where} scrolls sideways at ${width}`);
      await assertAccessible(page, `${where} at ${width}, ${theme}`);
      await page.screenshot({ caret: "initial", path: `${picture}-${width}-${theme}.png`, fullPage: true });
    }
  }
}
