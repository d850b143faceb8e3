// The official E2B SDK, unmodified, against `codeflow sandbox-host`.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "./suite.mjs";
import { CommandExitError, NotFoundError, Sandbox, SandboxNotFoundError, TimeoutError } from "e2b";
import { startHost, until } from "./server.mjs";

let host;
let options;

before(async () => {
  host = await startHost();
  options = { apiKey: host.key, apiUrl: host.url, sandboxUrl: host.url };
});

after(() => host?.stop());

const create = (more = {}) => Sandbox.create("base", { ...options, timeoutMs: 120_000, ...more });

async function withSandbox(work, more) {
  const sandbox = await create(more);
  try {
    await work(sandbox);
  } finally {
    await sandbox.kill();
  }
}

/** The text at a sandbox's host name, which no resolver needs to know. */
function getByName(name) {
  const [, port] = name.split(":");
  return new Promise((done, failed) => {
    request({ host: "127.0.0.1", port, headers: { host: name } }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece));
      response.on("end", () => done(text));
    })
      .on("error", failed)
      .end();
  });
}

test("commands: output, exit code, environment, folder, user", () =>
  withSandbox(async (sandbox) => {
    const streamed = [];
    const done = await sandbox.commands.run('echo "out $A $B"; echo err >&2; pwd; whoami', {
      cwd: "/tmp",
      envs: { B: "two" },
      onStdout: (text) => streamed.push(text),
    });
    assert.equal(done.exitCode, 0);
    assert.equal(done.stdout, "out one two\n/tmp\nuser\n");
    assert.equal(done.stderr, "err\n");
    assert.equal(streamed.join(""), done.stdout);
    await assert.rejects(sandbox.commands.run("exit 7"), (error) => error instanceof CommandExitError && error.exitCode === 7);
    await assert.rejects(sandbox.commands.run("pwd", { cwd: "/nonexistent" }), /does not exist/);
  }, { envs: { A: "one" } }));

test("commands: one ends with its shell, and what it started goes on", () =>
  withSandbox(async (sandbox) => {
    const log = "node -e 'setInterval(() => console.log(1), 20)'";
    const done = await sandbox.commands.run(`sleep 300 & ${log} & echo started; exit 3`).catch((error) => error);
    assert.ok(done instanceof CommandExitError, `${done}`);
    assert.equal(done.exitCode, 3);
    assert.match(done.stdout, /^started\n/);
    assert.equal((await sandbox.commands.list()).length, 0);
    const left = await sandbox.commands.run("pgrep -c -x 'sleep|node'");
    // The template's own server may be one more.
    assert.ok(Number(left.stdout) >= 2, left.stdout);
  }));

test("commands: background, list, connect, stdin, kill and time-out", () =>
  withSandbox(async (sandbox) => {
    const cat = await sandbox.commands.run("cat; echo ended", { background: true, stdin: true });
    const listed = await sandbox.commands.list();
    assert.ok(listed.some((process) => process.pid === cat.pid && process.args.includes("cat; echo ended")));
    let heard = "";
    const other = await sandbox.commands.connect(cat.pid, { onStdout: (text) => (heard += text) });
    await sandbox.commands.sendStdin(cat.pid, "hëllo\n");
    await until("both hear it", () => heard === "hëllo\n" && cat.stdout === "hëllo\n");
    await sandbox.commands.closeStdin(cat.pid);
    assert.equal((await cat.wait()).stdout, "hëllo\nended\n");
    assert.equal((await other.wait()).exitCode, 0);

    const sleep = await sandbox.commands.run("sleep 600", { background: true });
    assert.equal(await sleep.kill(), true);
    await assert.rejects(sleep.wait(), (error) => error instanceof CommandExitError && /killed/.test(error.error ?? error.message));
    assert.equal(await sandbox.commands.kill(sleep.pid), false);
    await assert.rejects(sandbox.commands.run("sleep 600", { timeoutMs: 1_000 }), TimeoutError);
    await until("no process is left", async () => (await sandbox.commands.list()).length === 0);
  }));

test("a terminal: input, size and end", () =>
  withSandbox(async (sandbox) => {
    let screen = "";
    const decoder = new TextDecoder();
    const terminal = await sandbox.pty.create({
      cols: 80,
      rows: 24,
      onData: (bytes) => (screen += decoder.decode(bytes)),
      timeoutMs: 0,
    });
    const type = (text) => sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode(text));
    await type("tty && stty size\n");
    await until("the terminal knows its size", () => screen.includes("/dev/pts/") && screen.includes("24 80"));
    await sandbox.pty.resize(terminal.pid, { cols: 100, rows: 30 });
    await type("stty size\n");
    await until("the terminal knows its new size", () => screen.includes("30 100"));
    await type("exit 0\n");
    assert.equal((await terminal.wait()).exitCode, 0);
  }));

test("files: written, read, listed, moved, removed", () =>
  withSandbox(async (sandbox) => {
    const { files } = sandbox;
    const written = await files.write("notes/a.txt", "Grüße");
    assert.equal(written.path, "/home/user/notes/a.txt");
    assert.equal(await files.read("notes/a.txt"), "Grüße");
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256);
    await files.write("/home/user/b.bin", bytes.buffer);
    assert.deepEqual(await files.read("b.bin", { format: "bytes" }), bytes);
    await files.write([
      { path: "many/1.txt", data: "1" },
      { path: "many/2.txt", data: "2" },
    ]);
    assert.deepEqual((await files.list("many")).map((entry) => entry.name), ["1.txt", "2.txt"]);
    assert.ok((await files.list("/home/user", { depth: 2 })).some((entry) => entry.path === "/home/user/many/2.txt"));

    const info = await files.getInfo("notes/a.txt");
    assert.deepEqual([info.name, info.type, info.size, info.owner], ["a.txt", "file", 7, "user"]);
    assert.equal(await files.exists("notes/b.txt"), false);
    await files.rename("notes/a.txt", "notes/b.txt");
    assert.equal(await files.exists("notes/b.txt"), true);
    assert.equal(await files.makeDir("new/deep"), true);
    assert.equal(await files.makeDir("new/deep"), false);
    await files.remove("notes");
    assert.equal(await files.exists("notes"), false);
    await assert.rejects(files.read("none.txt"), NotFoundError);
    await assert.rejects(files.list("none"), NotFoundError);
  }));

test("files: signed addresses, parts and compression", () =>
  withSandbox(async (sandbox) => {
    const form = new FormData();
    form.append("file", new Blob(["signed"]), "signed.txt");
    const up = await fetch(await sandbox.uploadUrl("signed.txt", { useSignatureExpiration: 60_000 }), { method: "POST", body: form });
    assert.equal(up.status, 200, await up.text());
    const address = await sandbox.downloadUrl("signed.txt", { useSignatureExpiration: 60_000 });
    assert.equal(await (await fetch(address)).text(), "signed");
    const part = await fetch(address, { headers: { range: "bytes=1-3" } });
    assert.deepEqual([part.status, await part.text()], [206, "ign"]);
    const refusal = async (address, method = "GET") => {
      const answer = await fetch(address, { method });
      return [answer.status, await answer.json()];
    };
    // A signature is for one path.
    const wrong = [401, { code: 401, message: "invalid signature" }];
    assert.deepEqual(await refusal(address.replace("signed.txt", "other.txt")), wrong);
    const expired = [401, { code: 401, message: "signature is already expired" }];
    const late = { useSignatureExpiration: -10_000 };
    assert.deepEqual(await refusal(await sandbox.downloadUrl("signed.txt", late)), expired);
    assert.deepEqual(await refusal(await sandbox.uploadUrl("signed.txt", late), "POST"), expired);

    const text = "again and again ".repeat(1000);
    await sandbox.files.write("large.txt", text, { gzip: true });
    assert.equal(await sandbox.files.read("large.txt", { gzip: true }), text);
    assert.equal((await sandbox.files.getInfo("large.txt")).size, text.length);
  }));

test("files: metadata is kept over a rename, and replaced by a write", () =>
  withSandbox(async ({ files }) => {
    const metadata = { author: "mish", purpose: "upload" };
    for (const useOctetStream of [false, true]) {
      const written = await files.write("a.txt", "1", { metadata, useOctetStream });
      assert.deepEqual(written.metadata, metadata);
      assert.deepEqual((await files.getInfo("a.txt")).metadata, metadata);
    }
    assert.deepEqual((await files.rename("a.txt", "m/b.txt")).metadata, metadata);
    assert.deepEqual((await files.list("m"))[0].metadata, metadata);
    assert.equal((await files.write("m/b.txt", "2")).metadata, undefined);
    assert.equal((await files.getInfo("m/b.txt")).metadata, undefined);
    const many = ["c.txt", "d.txt"].map((path) => ({ path, data: path }));
    for (const { path } of await files.writeFiles(many, { metadata })) assert.deepEqual((await files.getInfo(path)).metadata, metadata);
  }));

test("files: a link's target is absolute", () =>
  withSandbox(async ({ files, commands }) => {
    await commands.run("touch there && ln -s there link");
    const info = await files.getInfo("link");
    assert.deepEqual([info.name, info.symlinkTarget], ["link", "/home/user/there"]);
  }));

test("a folder is watched with what is in it, and what comes into it", () =>
  withSandbox(async ({ files }) => {
    await files.write("watched/a.txt", "old");
    const events = [];
    const options = { recursive: true, includeEntry: true, allowNetworkMounts: true };
    const handle = await files.watchDir("watched", (event) => events.push(event), options);
    const find = (type, name) => events.find((event) => event.type === type && event.name === name);
    await files.write("watched/a.txt", "longer");
    await until("the file is written", () => find("write", "a.txt"));
    assert.equal(find("write", "a.txt").entry.size, 6);
    await files.makeDir("watched/inner");
    await until("the folder is there", () => find("create", "inner"));
    await files.write("watched/inner/b.txt", "b");
    await until("the file in it is written", () => find("write", "inner/b.txt"));
    await handle.stop();
    await assert.rejects(files.watchDir("none", () => {}), NotFoundError);
    await assert.rejects(files.watchDir("watched/a.txt", () => {}), /not a directory/);
  }));

test("a folder is watched", () =>
  withSandbox(async (sandbox) => {
    await sandbox.files.makeDir("watched/inner");
    const events = [];
    const handle = await sandbox.files.watchDir("watched", (event) => events.push(`${event.type} ${event.name}`), { recursive: true });
    await sandbox.files.write("watched/a.txt", "1");
    await sandbox.files.write("watched/inner/b.txt", "2");
    await sandbox.commands.run("mv watched/a.txt watched/c.txt && rm watched/c.txt");
    for (const expected of ["create a.txt", "create inner/b.txt", "rename a.txt", "create c.txt", "remove c.txt"]) {
      await until(expected, () => events.includes(expected));
    }
    await handle.stop();
  }));

test("sandboxes are found by what they were made with, page by page", async () => {
  const mark = `m ${Math.random()}&=%`;
  const made = await Promise.all([1, 2, 3].map((number) => create({ metadata: { mark, number: String(number) } })));
  try {
    const pages = Sandbox.list({ ...options, query: { metadata: { mark } }, limit: 2 });
    const first = await pages.nextItems();
    assert.equal(first.length, 2);
    assert.equal(pages.hasNext, true);
    const second = await pages.nextItems();
    assert.equal(pages.hasNext, false);
    const found = [...first, ...second].map((info) => info.sandboxId);
    assert.deepEqual(found.toSorted(), made.map((sandbox) => sandbox.sandboxId).toSorted());
    const one = await Sandbox.list({ ...options, query: { metadata: { mark, number: "2" } } }).nextItems();
    assert.deepEqual(one.map((info) => info.sandboxId), [made[1].sandboxId]);
    const inOrder = async (order, query = {}) => {
      const found = await Sandbox.list({ ...options, order, query: { metadata: { mark }, ...query } }).nextItems();
      return found.map((info) => info.sandboxId);
    };
    const ascending = await inOrder("asc");
    assert.deepEqual(await inOrder("desc"), ascending.toReversed());
    const { startedAt } = await Sandbox.getInfo(ascending[0], options);
    assert.deepEqual(await inOrder("asc", { startedAfter: new Date(startedAt.getTime() - 1) }), ascending);
    assert.ok(!(await inOrder("asc", { startedAfter: startedAt })).includes(ascending[0]));
    assert.deepEqual(await inOrder("asc", { startedAfter: new Date(Date.now() + 60_000) }), []);
    assert.deepEqual(await inOrder("asc", { template: "base" }), ascending);
    assert.deepEqual(await inOrder("asc", { template: "other" }), []);
    assert.deepEqual(await Sandbox.list({ ...options, query: { metadata: { mark: "other" } } }).nextItems(), []);
    assert.deepEqual(await Sandbox.list({ ...options, query: { metadata: { mark }, state: ["paused"] } }).nextItems(), []);
  } finally {
    await Promise.all(made.map((sandbox) => sandbox.kill()));
  }
});

test("pause keeps files and processes, connect wakes, kill ends", async () => {
  const sandbox = await create();
  await sandbox.files.write("kept.txt", "kept");
  const cat = await sandbox.commands.run("cat", { background: true, stdin: true, timeoutMs: 0 });
  cat.wait().catch(() => {}); // Its connection ends with the pause.
  assert.equal(await sandbox.pause(), true);
  assert.equal((await Sandbox.getInfo(sandbox.sandboxId, options)).state, "paused");
  assert.equal(await sandbox.isRunning(), false);
  const again = await Sandbox.connect(sandbox.sandboxId, options);
  assert.equal(await again.files.read("kept.txt"), "kept");
  assert.equal(await again.isRunning(), true);
  let heard = "";
  const same = await again.commands.connect(cat.pid, { onStdout: (text) => (heard += text) });
  await again.commands.sendStdin(cat.pid, "still there");
  await until("the process answers", () => heard === "still there");
  await same.kill();
  await again.setTimeout(300_000);
  const info = await again.getInfo();
  assert.ok(info.endAt.getTime() - Date.now() > 200_000);
  assert.equal(await again.kill(), true);
  assert.equal(await Sandbox.kill(sandbox.sandboxId, options), false);
  await assert.rejects(Sandbox.connect(sandbox.sandboxId, options), NotFoundError);
});

const bootId = async ({ commands }) => (await commands.run("cat /proc/sys/kernel/random/boot_id")).stdout.trim();
const paused = (sandbox) => until("it is paused", async () => (await sandbox.getInfo()).state === "paused");

test("a pause without memory keeps the files, and the sandbox boots again", () =>
  withSandbox(async (sandbox) => {
    await sandbox.files.write("kept.txt", "kept");
    const first = await bootId(sandbox);
    await sandbox.pause();
    await sandbox.connect();
    assert.equal(await bootId(sandbox), first);
    await sandbox.pause({ keepMemory: false });
    assert.equal(await sandbox.isRunning(), false);
    await sandbox.connect();
    const second = await bootId(sandbox);
    assert.notEqual(second, first);
    await sandbox.pause();
    await sandbox.connect({ onResume: "reboot" });
    assert.notEqual(await bootId(sandbox), second);
    assert.equal(await sandbox.files.read("kept.txt"), "kept");
  }));

test("its time-out pauses a sandbox without its memory, if asked", () =>
  withSandbox(
    async (sandbox) => {
      const first = await bootId(sandbox);
      await paused(sandbox);
      await sandbox.connect();
      assert.notEqual(await bootId(sandbox), first);
    },
    { timeoutMs: 3_000, lifecycle: { onTimeout: { action: "pause", keepMemory: false } } },
  ));

test("a request wakes a paused sandbox, if asked", () =>
  withSandbox(
    async (sandbox) => {
      await sandbox.files.write("server.mjs", 'import { createServer } from "node:http"; createServer((q, s) => s.end("awake")).listen(8000);');
      await sandbox.commands.run("node server.mjs", { background: true, timeoutMs: 0 });
      await paused(sandbox);
      await until("it answers", async () => (await getByName(sandbox.getHost(8000))) === "awake");
      assert.equal((await sandbox.getInfo()).state, "running");
      assert.equal(await sandbox.isRunning(), true);
    },
    { timeoutMs: 3_000, lifecycle: { onTimeout: "pause", autoResume: true } },
  ));

test("snapshots: made, named, listed, removed, and sandboxes from one", () =>
  withSandbox(async (sandbox) => {
    await sandbox.files.write("app/config.json", "{}");
    const name = `snap-${Math.random().toString(36).slice(2)}`;
    const named = await sandbox.createSnapshot({ name });
    assert.deepEqual(named.names, [name]);
    const snapshot = await sandbox.createSnapshot();
    const ids = async (pages) => (await pages.nextItems()).map((snapshot) => snapshot.snapshotId);
    try {
      assert.ok((await ids(Sandbox.listSnapshots(options))).includes(snapshot.snapshotId));
      assert.deepEqual(await ids(sandbox.listSnapshots()), [snapshot.snapshotId, named.snapshotId]);
      assert.deepEqual(await ids(sandbox.listSnapshots({ limit: 1 })), [snapshot.snapshotId]);
      assert.deepEqual(await ids(Sandbox.listSnapshots({ ...options, name })), [named.snapshotId]);
      assert.deepEqual(await ids(Sandbox.listSnapshots({ ...options, name: `${name}-other` })), []);
      await sandbox.files.write("app/config.json", "changed");
      const made = await Promise.all([snapshot.snapshotId, name].map((from) => Sandbox.create(from, options)));
      try {
        const [one, other] = made;
        await one.files.write("app/config.json", "mine");
        assert.equal(await other.files.read("app/config.json"), "{}");
      } finally {
        await Promise.all(made.map((sandbox) => sandbox.kill()));
      }
    } finally {
      assert.equal(await Sandbox.deleteSnapshot(named.snapshotId, options), true);
      assert.equal(await Sandbox.deleteSnapshot(snapshot.snapshotId, options), true);
    }
    assert.equal(await Sandbox.deleteSnapshot(snapshot.snapshotId, options), false);
  }));

test("forks: several at once, each on its own", async () => {
  const sandbox = await create();
  await sandbox.files.write("state.txt", "before");
  const forks = await sandbox.fork({ count: 2, timeoutMs: 60_000 });
  try {
    assert.equal(new Set([sandbox, ...forks].map((one) => one.sandboxId)).size, 3);
    for (const fork of forks) {
      assert.ok(fork instanceof Sandbox, `${fork}`);
      assert.equal(await fork.isRunning(), true);
      assert.equal(await fork.files.read("state.txt"), "before");
      await fork.files.write("state.txt", fork.sandboxId);
    }
    assert.equal(await sandbox.files.read("state.txt"), "before");
  } finally {
    await Promise.all([sandbox, ...forks].map((one) => one.kill?.()));
  }
  await assert.rejects(sandbox.fork(), SandboxNotFoundError);
});

test("metrics tell what is used", () =>
  withSandbox(async (sandbox) => {
    const metrics = await until("there are metrics", async () => {
      const metrics = await sandbox.getMetrics();
      return metrics.length > 0 && metrics;
    });
    assert.ok(metrics[0].memUsed > 1_000_000 && metrics[0].memUsed < metrics[0].memTotal, JSON.stringify(metrics[0]));
    assert.ok(metrics[0].cpuCount >= 1 && metrics[0].diskTotal > 0);
  }));

test("a server inside is reached by its host name", () =>
  withSandbox(async (sandbox) => {
    await sandbox.files.write("server.mjs", 'import { createServer } from "node:http"; createServer((q, s) => s.end("hi " + q.headers.host)).listen(8080);');
    await sandbox.commands.run("node server.mjs", { background: true, timeoutMs: 0 });
    const name = sandbox.getHost(8080);
    await until("it answers", async () => (await getByName(name)) === `hi ${name}`);
  }));

test("network: a denied request is refused and logged", () =>
  withSandbox(
    async (sandbox) => {
      const refused = await sandbox.commands.run("curl -sS -o /dev/null https://registry.npmjs.org/", { timeoutMs: 20_000 }).catch((error) => error);
      assert.ok(refused instanceof CommandExitError, String(refused));
      const logs = await fetch(`${options.apiUrl}/v2/sandboxes/${sandbox.sandboxId}/logs?level=warn`, { headers: { "x-api-key": options.apiKey } });
      const { logs: lines } = await logs.json();
      assert.ok(lines.some((line) => line.message.includes("registry.npmjs.org:443")), JSON.stringify(lines));
    },
    { allowInternetAccess: false },
  ));
