// Starts the real CodeFlow for a browser test, on a free port with an empty database, and Chromium to look at it.
import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const root = resolve(import.meta.dirname, "..");
export const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
export const binary = process.env.CODEFLOW_BIN ?? join(target, "release/codeflow");
export const data = process.env.CODEFLOW_DATA_DIR ?? join(target, "test-data");
export const results = join(root, "test-results");
mkdirSync(results, { recursive: true });

/** A running CodeFlow: `url`, `stop()` (SIGTERM) and `log` (its standard error so far). */
export async function startServer(env = {}) {
  // All but the template, which takes a while to build.
  for (const name of ["codeflow.sqlite", "codeflow.sqlite-wal", "codeflow.sqlite-shm", "sandboxes"]) {
    rmSync(join(data, name), { force: true, recursive: true });
  }
  const started = await startCodeflow("serve", /listening on (http:\/\/127\.0\.0\.1:\d+)/, {
    AI_PROVIDER: "demo",
    LEPTOS_SITE_ADDR: "127.0.0.1:0",
    ...env,
  });
  started.url = started.url.replace("127.0.0.1", "localhost");
  return started;
}

/** A running sandbox host: as a server, with its `key`. */
export async function startHost(env = {}) {
  const key = "e2b_00000000000000000000000000000000000000ff";
  const host = await startCodeflow("sandbox-host", /sandbox host listening on (http:\S+)/, {
    SANDBOX_HOST_ADDR: "127.0.0.1:0",
    SANDBOX_HOST_KEY: key,
    SANDBOX_DOMAIN: "",
    ...env,
  });
  return Object.assign(host, { key });
}

/** Starts a command of the binary, and waits for the line that tells its address. */
async function startCodeflow(command, address, env) {
  const child = spawn(binary, [command], {
    cwd: root,
    env: { ...process.env, CODEFLOW_DATA_DIR: data, ...env },
    stdio: ["ignore", "inherit", "pipe"],
  });
  const server = { log: "", url: "", child };
  server.stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  };
  server.url = await new Promise((listen, fail) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      server.log += `${line}\n`;
      const found = address.exec(line);
      if (found) listen(found[1]);
    });
    child.once("exit", (code) => fail(new Error(`codeflow ${command} ended with ${code}:\n${server.log}`)));
  });
  return server;
}

function findChromium() {
  for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      // The next name.
    }
  }
  throw new Error("no Chromium found; run script/setup --tests");
}

function browserOptions() {
  const executablePath = findChromium();
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing`);
  return {
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  };
}

/** A browser without any traffic of its own. Its windows are private: frames of other sites, such as previews, get no storage. */
export function startBrowser(args = []) {
  const options = browserOptions();
  return chromium.launch({ ...options, args: [...options.args, ...args] });
}

/** The same as most people have it, in a window with these options: frames of other sites keep what they store until it is closed. */
export async function startProfile(options) {
  const folder = mkdtempSync(join(tmpdir(), "codeflow-profile-"));
  mkdirSync(join(folder, "Default"));
  // Debian's Chromium comes with the setting that refuses it.
  const preferences = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } };
  writeFileSync(join(folder, "Default", "Preferences"), JSON.stringify(preferences));
  const context = await chromium.launchPersistentContext(folder, { ...browserOptions(), ...options });
  context.once("close", () => rmSync(folder, { force: true, recursive: true, maxRetries: 12, retryDelay: 200 }));
  return context;
}

/** Calls a server function that takes a form, and returns its answer. */
export async function post(server, path, form) {
  const answer = await fetch(`${server.url.replace("localhost", "127.0.0.1")}${path}`, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams(form),
    redirect: "manual",
  });
  return answer.json();
}

/** Waits until `check` returns something true, and returns it. */
export async function until(what, check, timeout = 30_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`timed out waiting until ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
