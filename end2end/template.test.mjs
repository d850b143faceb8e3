// The app template: every component is shown and used in a real sandbox, without an error or a warning; types and shadcn's CLI.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { Sandbox } from "e2b";
import { results, startBrowser, startHost, until } from "./server.mjs";
import { tour, tourSidebar } from "./template/tour.mjs";

const gallery = join(import.meta.dirname, "template");
const template = resolve(import.meta.dirname, "../sandbox-templates/nextjs");
const components = readdirSync(join(template, "components/ui")).map((file) => file.replace(/\.tsx$/, ""));
const pages = readdirSync(join(gallery, "app"), { recursive: true })
  .filter((file) => file.endsWith(".tsx"))
  .map((file) => ({ path: `app/${file}`, data: readFileSync(join(gallery, "app", file), "utf8") }));

let host;
let sandbox;
let browser;
let address;

before(async () => {
  host = await startHost();
  sandbox = await Sandbox.create("nextjs", { apiKey: host.key, apiUrl: host.url, sandboxUrl: host.url, timeoutMs: 900_000 });
  await sandbox.files.write(pages);
  address = `http://${sandbox.getHost(3000)}`;
  browser = await startBrowser();
  // The gallery replaces the first page: what is compiled is not what is tested.
  const page = await browser.newPage();
  for (const path of ["/", "/sidebar"]) {
    await until(`${path} answers`, async () => (await page.goto(`${address}${path}`, { timeout: 120_000 }))?.status() === 200, 120_000);
  }
  await page.close();
});

after(async () => {
  await browser?.close();
  await sandbox?.kill();
  await host?.stop();
});

/** Opens a page of the app for `use`, and fails for anything said on its console. */
async function look(path, options, use) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(15_000);
  const said = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) said.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => said.push(String(error.stack)));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== address) said.push(`asked another server: ${request.url()}`);
  });
  try {
    const response = await page.goto(`${address}${path}`, { timeout: 120_000 });
    assert.equal(response.status(), 200);
    await use(page);
    assert.deepEqual(said, []);
  } catch (error) {
    await page.screenshot({ path: join(results, "template-failed.png") });
    throw said.length > 0 ? new Error(said.join("\n"), { cause: error }) : error;
  } finally {
    await page.close();
  }
}

const drawn = (page) => page.locator(".recharts-bar-rectangle").first().waitFor();
const wide = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

test("every component is shown in the gallery", () => {
  const source = pages.map((page) => page.data).join("\n");
  const imported = [...source.matchAll(/from "@\/components\/ui\/([\w-]+)"/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(imported)].toSorted(), components.toSorted());
  for (const name of components.filter((name) => name !== "sidebar")) {
    assert.ok(source.includes(`<Section name="${name}">`), `${name} has no section`);
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`every component works, ${colorScheme}`, () =>
    look("/", { ...wide, colorScheme }, async (page) => {
      await drawn(page);
      const dark = await page.evaluate(() => document.documentElement.classList.contains("dark"));
      assert.equal(dark, colorScheme === "dark");
      await page.screenshot({ path: join(results, `template-${colorScheme}.png`), fullPage: true });
      await tour(page);
    }));

  test(`the sidebar folds and unfolds, ${colorScheme}`, () => look("/sidebar", { ...wide, colorScheme }, tourSidebar));
}

test("nothing is wider than a phone", () =>
  look("/", phone, async (page) => {
    await drawn(page);
    await page.screenshot({ path: join(results, "template-phone.png"), fullPage: true });
    const { scrollWidth, clientWidth } = await page.evaluate(() => document.documentElement);
    assert.equal(scrollWidth, clientWidth);
  }));

test("the sidebar is a sheet on a phone", () => look("/sidebar", phone, tourSidebar));

test("the types are right", async () => {
  const checked = await sandbox.commands.run("npm run --silent typecheck", { timeoutMs: 300_000 });
  assert.equal(checked.stdout, "");
});

test("shadcn's CLI adds a component", async (context) => {
  const envs = { REGISTRY_URL: "http://127.0.0.1:8080/r" };
  const npx = (command) => sandbox.commands.run(`npx --yes shadcn@4.23.0 ${command}`, { envs, timeoutMs: 300_000 });
  const there = await npx("--version").catch((error) => error);
  if (there.exitCode !== 0) {
    assert.match(`${there.stdout}${there.stderr}`, /registry\.npmjs\.org/);
    context.skip("the npm registry can't be reached from the sandbox");
    return;
  }

  // shadcn's own registry is on no list of what a sandbox may reach: this one has one component.
  await sandbox.files.write([
    { path: "/tmp/registry/server.mjs", data: readFileSync(join(gallery, "registry.mjs"), "utf8") },
    { path: "/tmp/registry/stat.json", data: readFileSync(join(gallery, "stat.json"), "utf8") },
  ]);
  await sandbox.commands.run("node /tmp/registry/server.mjs", { background: true, timeoutMs: 0 });
  const before = await sandbox.files.read("app/globals.css");
  const added = await npx("add stat --yes").catch((error) => error);
  assert.equal(added.exitCode, 0, `${added.stdout}\n${added.stderr}`);
  assert.match(await sandbox.files.read("components/ui/stat.tsx"), /export function Stat/);
  assert.equal(await sandbox.files.read("app/globals.css"), before);
});
