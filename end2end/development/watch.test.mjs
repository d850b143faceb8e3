// Development as people of this ecosystem do it: `cargo leptos watch` serves a page that lives, and a saved edit shows in it by itself.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { root, startBrowser, target, until } from "../server.mjs";
import { after, before, test } from "../suite.mjs";
import { watchConsole } from "../workspace.mjs";

/** Its build is one of its own, without optimisation, of which a cold machine makes every part. */
const LIMIT = 1_800_000;
/** A copy, so that nothing of the checkout changes whatever happens; where it is stays the same, so that the next build is a short one. */
const checkout = join(target, "watched-checkout");
const HEADING = "What it calls done, runs.";
const EDITED = "This heading was edited.";

let watcher;
let browser;
let log = "";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function copyCheckout() {
  rmSync(checkout, { recursive: true, force: true });
  for (const name of [".cargo", "Cargo.lock", "Cargo.toml", "Leptos.toml", "benches", "build.rs", "migration", "packaging", "public", "rust-toolchain.toml",
    "sandbox-templates", "src", "style"]) {
    // With its times, by which cargo knows what has changed.
    cpSync(join(root, name), join(checkout, name), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
}

before(async () => {
  copyCheckout();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  if (watcher && watcher.exitCode === null && watcher.signalCode === null) {
    const ended = once(watcher, "exit");
    watcher.kill("SIGINT");
    await Promise.race([ended, new Promise((done) => setTimeout(done, 15_000).unref())]);
    try {
      process.kill(-watcher.pid, "SIGKILL");
    } catch {
      // All of the group has ended.
    }
  }
  rmSync(checkout, { recursive: true, force: true });
});

test("cargo leptos watch serves a page that lives and follows an edit", { timeout: LIMIT }, async () => {
  const [port, reloadPort] = [await freePort(), await freePort()];
  watcher = spawn("cargo", ["leptos", "watch"], {
    cwd: checkout,
    detached: true,
    env: {
      ...process.env,
      AI_PROVIDER: "demo",
      CARGO_NET_OFFLINE: "true",
      CARGO_TARGET_DIR: join(target, "watch"),
      CHROMIUM_PATH: "off",
      CODEFLOW_DATA_DIR: join(checkout, "data"),
      LEPTOS_RELOAD_PORT: String(reloadPort),
      LEPTOS_SITE_ADDR: `127.0.0.1:${port}`,
      SANDBOX_POOL_SIZE: "0",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [watcher.stdout, watcher.stderr]) stream.on("data", (text) => (log += text));
  const url = `http://localhost:${port}`;
  const answers = async () => {
    assert.equal(watcher.exitCode, null, `cargo leptos watch ended:\n${log.slice(-4000)}`);
    assert.doesNotMatch(log, /could not compile/, log.slice(-4000));
    return fetch(url).then((answer) => answer.ok, () => false);
  };
  await until("it serves", answers, LIMIT / 2);

  const page = await browser.newPage();
  const problems = watchConsole(page);
  await page.goto(url);
  const heading = (text) => page.getByRole("heading", { name: text });
  const isDark = () => page.evaluate(() => document.documentElement.classList.contains("dark"));
  const lives = async () => {
    const before = await isDark();
    // Until the page has come alive the menu is empty.
    await until(
      "the button works",
      async () => {
        await page.getByRole("button", { name: "Theme" }).click();
        const other = page.getByRole("menuitem", { name: before ? "Light" : "Dark" });
        if (!(await other.isVisible())) return page.keyboard.press("Escape").then(() => false);
        await other.click();
        return (await isDark()) !== before;
      },
      60_000,
    );
  };
  await heading(HEADING).waitFor();
  await lives();
  // A part that the optimised build fetches by itself.
  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await page.goto(url);
  await lives();
  assert.deepEqual(problems, []);

  const view = join(checkout, "src/ui/home.rs");
  const source = readFileSync(view, "utf8");
  assert.ok(source.includes(`"${HEADING}"`), "the view has the heading that this test edits");
  writeFileSync(view, source.replace(HEADING, EDITED));
  // Nobody reloads it: the page does so itself.
  await until("the edit shows", async () => {
    assert.doesNotMatch(log, /could not compile/, log.slice(-4000));
    return (await heading(EDITED).count()) > 0;
  }, LIMIT / 3);
  await lives();
  assert.ok(existsSync(join(checkout, "target/site/pkg/codeflow.wasm")));
});
