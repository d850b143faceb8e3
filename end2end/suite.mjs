// node:test, with a limit for each test: one that hangs says so itself, and the tests after it still run.
import * as runner from "node:test";

export const { after, before, describe } = runner;

/** The longest that a test may take, in milliseconds: several times what the slowest takes on a busy machine with two cores. */
const LIMIT = 900_000;

/** As node:test's `test`; `options.timeout` is its own limit, in milliseconds. */
export function test(name, options, work) {
  if (typeof options === "function") return test(name, {}, options);
  return runner.test(name, { timeout: LIMIT, ...options }, work);
}

/** Ends what a file's tests have started, in this order; what never started is left out. */
export async function stopAll(browser, server, model) {
  await browser?.close();
  await server?.stop();
  model?.stop();
}
