// A reporter of node:test that lists the tests which took longest.
const SHOWN = 10;

export default async function* slowest(events) {
  const tests = [];
  for await (const { type, data } of events) {
    // A file is a test as well, and stands for those in it.
    const isTest = (type === "test:pass" || type === "test:fail") && data.details?.type !== "suite" && data.file && !data.name.endsWith(".mjs");
    if (isTest) tests.push({ name: data.name, seconds: data.details.duration_ms / 1000 });
  }
  tests.sort((a, b) => b.seconds - a.seconds);
  yield `\nthe slowest tests:\n`;
  for (const { name, seconds } of tests.slice(0, SHOWN)) yield `  ${seconds.toFixed(1).padStart(6)} s  ${name}\n`;
}
