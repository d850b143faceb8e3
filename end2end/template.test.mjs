// The app template: every component is shown and used in a real sandbox, without an error or a warning; types and shadcn's CLI.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { after, before, test } from "./suite.mjs";
import { Sandbox } from "e2b";
import { PATIENCE, prepared, results, startBrowser, startHost, until } from "./server.mjs";
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
    await until(`${path} answers`, async () => (await page.goto(`${address}${path}`, { timeout: 120_000 }))?.status() === 200, 2 * PATIENCE);
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
  page.setDefaultTimeout(PATIENCE);
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
    await page.screenshot({ caret: "initial", path: join(results, "template-failed.png") });
    throw said.length > 0 ? new Error(said.join("\n"), { cause: error }) : error;
  } finally {
    await page.close();
  }
}

const drawn = (page) => page.locator(".recharts-bar-rectangle").first().waitFor();
const wide = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

test("the template has what its dev server compiled, so that no sandbox compiles its first page anew", () => {
  const built = join(prepared, "templates/nextjs");
  const { cache } = JSON.parse(readFileSync(join(template, "template.json"), "utf8"));
  const files = readdirSync(join(built, readFileSync(join(built, "current"), "utf8").trim(), "home", cache), { recursive: true });
  assert.ok(files.some((file) => file.endsWith(".sst")), files.join(" "));
});

test("every component is shown in the gallery", () => {
  const source = pages.map((page) => page.data).join("\n");
  const imported = [...source.matchAll(/from "@\/components\/ui\/([\w-]+)"/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(imported)].toSorted(), components.toSorted());
  for (const name of components.filter((name) => name !== "sidebar")) {
    assert.ok(source.includes(`<Section name="${name}">`), `${name} has no section`);
  }
});

test("every export of every component is used in the gallery", () => {
  const source = pages.map((page) => page.data).join("\n");
  const used = new Map();
  for (const [, names, file] of source.matchAll(/import (?:type )?\{([^}]*)\} from "@\/components\/ui\/([\w-]+)"/g)) {
    used.set(file, [...(used.get(file) ?? []), ...listed(names)]);
  }
  const unused = components.flatMap((name) => {
    const code = readFileSync(join(template, "components/ui", `${name}.tsx`), "utf8");
    const exported = [...code.matchAll(/export \{([^}]*)\}/g)].flatMap(([, names]) => listed(names));
    assert.ok(exported.length > 0, `${name} exports nothing`);
    return exported.filter((part) => !used.get(name)?.includes(part)).map((part) => `${name}: ${part}`);
  });
  assert.deepEqual(unused, []);
});

/** The names in the braces of an import or an export. */
function listed(names) {
  return names.split(",").map((name) => name.trim().replace(/^type /, "")).filter(Boolean);
}

test("what is sent to E2B is the app alone", async () => {
  // A copy that was worked in: with packages, a cache and secrets.
  const copy = join(results, "e2b-template");
  rmSync(copy, { recursive: true, force: true });
  cpSync(template, copy, { recursive: true });
  for (const path of ["node_modules/next/index.js", ".next/dev/cache", "e2b/node_modules/e2b.js", ".env.local", "tsconfig.tsbuildinfo", "next-env.d.ts"]) {
    mkdirSync(resolve(copy, path, ".."), { recursive: true });
    writeFileSync(join(copy, path), "x");
  }
  const sent = (await sentToE2b(copy)).filter((path) => path !== "" && !path.endsWith("/")).toSorted();
  const left = ["README.md", "template.json"];
  const own = execFileSync("git", ["ls-files"], { cwd: template, encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(sent, own.filter((path) => !path.startsWith("e2b/") && !left.includes(path)).toSorted());
});

/** The names in the archive that E2B's own builder sends of the template in `folder`. */
async function sentToE2b(folder) {
  const archive = join(folder, "../e2b-template.tar.gz");
  // It has no types in it, and an older Node.js reads no TypeScript.
  cpSync(join(folder, "e2b/template.ts"), join(folder, "e2b/template.mjs"));
  const service = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method === "PUT") {
        writeFileSync(archive, Buffer.concat(chunks));
        response.end();
        return;
      }
      const upload = `http://127.0.0.1:${service.address().port}/upload`;
      const answers = [
        [/\/files\//, 201, { present: false, url: upload }],
        [/\/builds\/[^/]+$/, 500, { code: 500, message: "that was all" }],
        [/\/templates$/, 202, { templateID: "one", buildID: "two", public: false, aliases: [], names: [], tags: [] }],
      ];
      const [, status, answer] = answers.find(([path]) => path.test(new URL(request.url, upload).pathname)) ?? [null, 404, {}];
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  });
  await new Promise((listening) => service.listen(0, "127.0.0.1", listening));
  const build = `
    import { Template } from "e2b";
    import { template } from "./template.mjs";
    await Template.build(template, "test", { apiKey: "e2b_${"0".repeat(40)}", apiUrl: "http://127.0.0.1:${service.address().port}" });`;
  try {
    const failed = await new Promise((done) =>
      execFile(process.execPath, ["--input-type=module", "--eval", build], { cwd: join(folder, "e2b") }, (error, out, said) => done(said)),
    );
    assert.match(failed, /that was all/);
  } finally {
    service.close();
  }
  return execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).trim().split("\n").map((path) => path.replace(/^\.\//, ""));
}

for (const colorScheme of ["light", "dark"]) {
  test(`every component works, ${colorScheme}`, () =>
    look("/", { ...wide, colorScheme }, async (page) => {
      await drawn(page);
      const dark = await page.evaluate(() => document.documentElement.classList.contains("dark"));
      assert.equal(dark, colorScheme === "dark");
      await page.screenshot({ caret: "initial", path: join(results, `template-${colorScheme}.png`), fullPage: true });
      await tour(page);
    }));

  test(`the sidebar folds and unfolds, ${colorScheme}`, () => look("/sidebar", { ...wide, colorScheme }, tourSidebar));
}

test("nothing is wider than a phone", () =>
  look("/", phone, async (page) => {
    await drawn(page);
    await page.screenshot({ caret: "initial", path: join(results, "template-phone.png"), fullPage: true });
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
