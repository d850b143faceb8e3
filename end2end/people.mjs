// People of the tests who sign in, each in a window of their own.
import { PATIENCE } from "./server.mjs";

export const PASSWORD = "seven uncommon lanterns";

/** A page in a window of its own, with nobody signed in. */
export async function person(browser, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  return page;
}

/** Fills the page's form in, and signs up. */
export async function signUp(page, email) {
  await page.getByRole("textbox", { name: "Email" }).fill(email);
  await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up", exact: true }).click();
}
