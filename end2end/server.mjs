// Starts the real CodeFlow for a browser test, on a free port with an empty database, and Chromium to look at it.
import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { chromium } from "playwright-core";

export const root = resolve(import.meta.dirname, "..");
export const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
export const binary = process.env.CODEFLOW_BIN ?? join(target, "release/codeflow");
/** Where the templates are that `codeflow template build` made, kept between runs. */
export const prepared = process.env.CODEFLOW_DATA_DIR ?? join(target, "test-data");
/** The data folder of this file's servers, which no other file uses: files may run side by side. */
export const data = join(prepared, "tests", basename(process.argv[1]).replace(/(\.test)?\.mjs$/, ""));
/** The longest that a single thing may take, in milliseconds, on a busy machine. */
export const PATIENCE = 90_000;
export const results = join(root, "test-results");
mkdirSync(results, { recursive: true });

/**
 * A running CodeFlow with an empty database: `url`, `stop()` (SIGTERM) and `log` (its standard error so far). It keeps no sandbox ready,
 * which pays where projects follow one another, unless `env` says so.
 */
export async function startServer(env = {}) {
  clearData();
  return serve({ AI_PROVIDER: "demo", LEPTOS_SITE_ADDR: "127.0.0.1:0", SANDBOX_POOL_SIZE: "0", ...env });
}

/** Ends a server at once (SIGKILL), as a crash does: what it had not stored is lost. */
export async function crash(server) {
  server.child.kill("SIGKILL");
  await once(server.child, "exit");
}

/** Starts a server that has ended again: at the same address, with the same data and settings. */
export function startAgain(server) {
  return serve({ ...server.env, LEPTOS_SITE_ADDR: `127.0.0.1:${server.port}` });
}

async function serve(env) {
  const server = await startCodeflow("serve", "/healthz", env);
  return Object.assign(server, { env, url: `http://localhost:${server.port}` });
}

/** The key of sandbox hosts that tests speak to. */
export const KEY = "e2b_00000000000000000000000000000000000000ff";

/** Does something with all sandboxes of a server that was started with `SANDBOX_HOST_KEY: KEY`, as somebody else could. */
async function withSandboxes(server, method, path) {
  const headers = { "x-api-key": KEY, "content-type": "application/json" };
  const body = method === "POST" ? "{}" : undefined;
  for (const port of listeningPorts(server.child.pid)) {
    const host = `http://127.0.0.1:${port}`;
    const answer = await fetch(`${host}/v2/sandboxes`, { headers }).catch(() => null);
    const listed = answer?.ok && /json/.test(answer.headers.get("content-type") ?? "") ? await answer.json() : [];
    for (const { sandboxID } of listed) await fetch(`${host}/sandboxes/${sandboxID}${path}`, { method, headers, body });
  }
}

/** Ends them, as if they had been lost. */
export const killSandboxes = (server) => withSandboxes(server, "DELETE", "");

/** Puts them to sleep. */
export const pauseSandboxes = (server) => withSandboxes(server, "POST", "/pause");

/** A running sandbox host: as a server, with its `key`. */
export async function startHost(env = {}, program = binary) {
  prepareData(env.CODEFLOW_DATA_DIR);
  const settings = { SANDBOX_HOST_ADDR: "127.0.0.1:0", SANDBOX_HOST_KEY: KEY, SANDBOX_DOMAIN: "", SANDBOX_POOL_SIZE: "0", ...env };
  const host = await startCodeflow("sandbox-host", "/health", settings, program);
  return Object.assign(host, { key: KEY, url: `http://127.0.0.1:${host.port}` });
}

/** Makes the data folder, with the templates of all. */
function prepareData(folder = data) {
  mkdirSync(join(prepared, "templates"), { recursive: true, mode: 0o700 });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(join(folder, "templates"))) symlinkSync(join(prepared, "templates"), join(folder, "templates"));
}

/** Empties the data folder, but for the templates, if no server works in it. */
function clearData() {
  prepareData();
  const old = ["codeflow.sqlite", "codeflow.sqlite-wal", "codeflow.sqlite-shm", "sandboxes"].map((name) => join(data, name));
  try {
    // Under the server's own lock.
    execFileSync("flock", ["--nonblock", "--conflict-exit-code", "75", join(data, "lock"), "rm", "-rf", ...old]);
  } catch (error) {
    throw error.status === 75 ? new Error(`a server works in ${data}; stop it first`) : error;
  }
}

/** Starts a command of the binary, and waits until it answers to this path. */
async function startCodeflow(command, path, env, program = binary) {
  const child = spawn(program, [command], {
    cwd: root,
    env: { ...process.env, CODEFLOW_DATA_DIR: data, ...env },
    stdio: ["ignore", "inherit", "pipe"],
  });
  const server = { log: "", child };
  child.stderr.setEncoding("utf8").on("data", (text) => (server.log += text));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  server.stop = async () => {
    if (hasEnded()) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  server.port = await until(`codeflow ${command} listens`, () => {
    if (hasEnded()) throw new Error(`codeflow ${command} ended with ${child.exitCode ?? child.signalCode}:\n${server.log}`);
    return readyPort(child.pid, path);
  });
  return server;
}

/** The port on which the process answers a request for this path with a success, if it does yet. It may listen on others too. */
async function readyPort(pid, path) {
  for (const port of listeningPorts(pid)) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok) return port;
  }
  return null;
}

/** The TCP ports on which the process listens (proc_pid_net(5)). */
function listeningPorts(pid) {
  const LISTEN = "0A";
  try {
    const links = readdirSync(`/proc/${pid}/fd`).map((file) => readlinkSync(`/proc/${pid}/fd/${file}`));
    const sockets = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
    const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1);
    const fields = lines.map((line) => line.trim().split(/\s+/));
    const own = fields.filter(([, , , state, , , , , , inode]) => state === LISTEN && sockets.has(inode));
    return own.map(([, address]) => parseInt(address.split(":")[1], 16));
  } catch {
    // It opens and closes files while they are read, or has ended.
    return [];
  }
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
  const program = findChromium();
  if (!existsSync(program)) throw new Error(`${program} is missing`);
  return {
    executablePath: join(import.meta.dirname, "browser.sh"),
    env: { ...process.env, CHROMIUM: program },
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
  // The browser's processes, which write there, may outlive the context a little; what waits for them must not block this one.
  const remove = { force: true, recursive: true, maxRetries: 12, retryDelay: 200 };
  context.once("close", () => rm(folder, remove).catch(() => process.once("exit", () => rmSync(folder, remove))));
  return context;
}

/** The server's path at an address that needs no look-up. */
const at = (server, path) => `${server.url.replace("localhost", "127.0.0.1")}${path}`;

/** Reads from a server function, and returns its answer. */
export async function get(server, path, query = {}) {
  const answer = await fetch(at(server, `${path}?${new URLSearchParams(query)}`));
  return answer.json();
}

/** A file of a project's app as it is: its `text` and `hash`, which are not there when it isn't. */
export const readFile = (server, project, path) => get(server, "/api/files/read", { project, path, plain: true });

/** Calls a server function that takes a form, and returns its answer. */
export async function post(server, path, form) {
  const answer = await fetch(at(server, path), {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams(form),
    redirect: "manual",
  });
  return answer.json();
}

/** Waits until `check` returns something true, and returns it. */
export async function until(what, check, timeout = PATIENCE) {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`timed out waiting until ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
