// Measures the sandbox host as its users feel it, on this machine: medians and 95th percentiles, with the goals beside them.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { binary, data, prepared, startHost, until } from "../server.mjs";
import { ms, report } from "./shared.mjs";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15);
const PAGES = Number(process.env.BENCH_PAGES ?? 3);
/** Sandboxes taken from the pool, one after the other. */
const POOLED = Number(process.env.BENCH_POOLED ?? 5);
/** Another codeflow, which is measured in turns with this one; then nothing else is. */
const BEFORE = process.env.BENCH_BEFORE;
/** How much longer something may take than with that one, as a ratio. */
const SLOWER = 1.1;
/** Sandboxes at once, of which ten are made at a time. */
const CROWD = Number(process.env.BENCH_CROWD ?? 50);

/** Pages asked for beside each load of a neighbour. */
const LOOKS = Number(process.env.BENCH_LOOKS ?? 40);
/** How long a neighbour is at it before anything is measured, in milliseconds. */
const SETTLE = 5000;
/** What one sandbox may do while another one answers; each is a command that never ends. */
const LOADS = {
  "loops on all processors": "for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; wait",
  "a fork storm": "for i in 1 2 3 4 5 6 7 8; do while :; do /bin/true & /bin/true; wait; done & done; wait",
  "writes that are synced": "while :; do dd if=/dev/zero of=/home/user/fill bs=1M count=64 conv=fsync 2>/dev/null; done",
  "memory taken and given back": "while :; do head -c 900M /dev/zero | tail -c 900M >/dev/null; done",
  "files read, from memory and from the disk":
    "head -c 256M /dev/urandom >/home/user/read; while :; do cat /home/user/read >/dev/null; done & while :; do dd if=/home/user/read of=/dev/null bs=1M iflag=direct 2>/dev/null; done",
  "a stream of files made and removed": "while :; do for i in $(seq 500); do echo $i >/home/user/n$i; done; rm /home/user/n*; done",
};

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function repeat(count, work) {
  const times = [];
  for (let round = 0; round < count; round++) times.push(await work(round));
  return times;
}

/** What the runtime itself takes for the smallest container, in the root that a host has made: everything else is ours. */
function runtimeAlone() {
  const bundle = mkdtempSync(join(tmpdir(), "codeflow-bench-"));
  try {
    execFileSync("runc", ["spec", "--bundle", bundle]);
    const spec = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
    spec.process.terminal = false;
    spec.process.args = ["/usr/bin/true"];
    spec.root = { path: join(data, "sandbox-host/rootfs"), readonly: true };
    spec.mounts = [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
      { destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"] },
    ];
    writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
    return repeat(ROUNDS, (round) =>
      timed(async () => execFileSync("runc", ["run", "--bundle", bundle, `codeflow-bench-${process.pid}-${round}`], { stdio: "ignore" })),
    );
  } finally {
    process.once("exit", () => rmSync(bundle, { recursive: true, force: true }));
  }
}

/** A client of a host, with plain requests: what is measured is the host, and not an SDK. */
function client(host) {
  const api = async (method, path, body) => {
    const answer = await fetch(`${host.url}${path}`, {
      method,
      headers: { "x-api-key": host.key, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  };
  const run = async (sandbox, command) => {
    const start = Buffer.from(JSON.stringify({ process: { cmd: "/bin/sh", args: ["-c", command] } }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(start.length, 1);
    const answer = await fetch(`${host.url}/process.Process/Start`, {
      method: "POST",
      headers: {
        "e2b-sandbox-id": sandbox.sandboxID,
        "e2b-sandbox-port": "49983",
        "x-access-token": sandbox.envdAccessToken,
        "content-type": "application/connect+json",
      },
      body: Buffer.concat([head, start]),
    });
    const output = Buffer.from(await answer.arrayBuffer()).toString();
    if (!output.includes('"end"')) throw new Error(`${command}: ${answer.status} ${output}`);
    return [...output.matchAll(/"stdout":"([^"]*)"/g)].map(([, piece]) => Buffer.from(piece, "base64").toString()).join("");
  };
  const page = (sandbox) =>
    until("the page is there", async () => {
      const answer = await fetch(`${host.url}/`, { headers: { "e2b-sandbox-id": sandbox.sandboxID, "e2b-sandbox-port": "3000", accept: "application/json" } });
      await answer.arrayBuffer();
      return answer.status === 200;
    }, 120_000);
  return {
    create: (templateID, more = {}) => api("POST", "/v2/sandboxes", { templateID, timeout: 3600, ...more }),
    kill: (sandbox) => api("DELETE", `/sandboxes/${sandbox.sandboxID}`),
    pause: (sandbox) => api("POST", `/sandboxes/${sandbox.sandboxID}/pause`, {}),
    connect: (sandbox) => api("POST", `/v2/sandboxes/${sandbox.sandboxID}/connect`, { timeout: 3600 }),
    run,
    page,
  };
}

/** `next dev` as a person would start it, in a copy of the template. */
async function bareNextDev() {
  const version = readFileSync(join(prepared, "templates/nextjs/current"), "utf8").trim();
  return repeat(PAGES, async (round) => {
    const folder = mkdtempSync(join(tmpdir(), "codeflow-bench-"));
    const port = 4700 + round;
    cpSync(join(prepared, "templates/nextjs", version, "home"), folder, { recursive: true, verbatimSymlinks: true });
    let server;
    try {
      return await timed(async () => {
        server = spawn(process.execPath, ["node_modules/next/dist/bin/next", "dev", "--port", String(port), "--hostname", "127.0.0.1"], {
          cwd: folder,
          env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
          stdio: "ignore",
          detached: true,
        });
        await until("next dev shows its page", () => get(port), 120_000);
      });
    } finally {
      if (server) {
        process.kill(-server.pid, "SIGKILL");
        await new Promise((ended) => (server.exitCode ?? server.signalCode) === null ? server.once("exit", ended) : ended());
      }
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

const get = (port) =>
  new Promise((done) => {
    request({ host: "127.0.0.1", port }, (answer) => answer.resume().on("end", () => done(answer.statusCode === 200)))
      .on("error", () => done(false))
      .end();
  });

/** Processor time of a process and all below it, in ms (the kernel counts in hundredths of a second). */
function processorTime(cgroupPart) {
  let ticks = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(cgroupPart)) continue;
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks * 10;
}

/** Both programs in turns, so that whatever else the machine does meets both alike. */
async function compare() {
  const sides = [resolve(BEFORE), binary].map((program) => ({ program, folder: mkdtempSync(join(tmpdir(), "codeflow-bench-")) }));
  const withBoth = async (pool, work) => {
    try {
      for (const side of sides) {
        side.host = await startHost({ CODEFLOW_DATA_DIR: side.folder, SANDBOX_POOL_SIZE: String(pool) }, side.program);
        Object.assign(side, client(side.host));
      }
      await work();
    } finally {
      for (const side of sides) await side.host?.stop();
    }
  };
  const inTurns = async (what, count, measure) => {
    const times = sides.map(() => []);
    for (let round = 0; round < count; round++) {
      for (const number of round % 2 ? [1, 0] : [0, 1]) times[number].push(await measure(sides[number], round));
    }
    const [before, after] = times.map((side, number) => report(`${what}, ${["before", "after"][number]}`, side));
    const ratio = after / before;
    console.log(`${"".padEnd(52)} ratio ${ratio.toFixed(2)}   ${ratio <= SLOWER ? "within" : "NOT within"} 10 %`);
  };
  try {
    await withBoth(0, async () => {
      await inTurns("cold create → first command (base)", ROUNDS, async (side) => {
        let sandbox;
        const time = await timed(async () => {
          sandbox = await side.create("base");
          await side.run(sandbox, "true");
        });
        await side.kill(sandbox);
        return time;
      });
      for (const side of sides) side.sleeper = await side.create("base");
      await inTurns("wake → first command (base)", ROUNDS, async (side) => {
        await side.pause(side.sleeper);
        return timed(async () => {
          await side.connect(side.sleeper);
          await side.run(side.sleeper, "true");
        });
      });
      for (const side of sides) await side.kill(side.sleeper);
    });
    await withBoth(1, () =>
      inTurns("create from the pool → first page", POOLED, async (side, round) => {
        // Until neither of them makes another one.
        for (const { host } of sides) {
          await until("a sandbox waits", () => host.log.split("a sandbox waits ready").length > 1 + (host.taken ?? 0), 180_000);
        }
        side.host.taken = round + 1;
        let sandbox;
        const time = await timed(async () => {
          sandbox = await side.create("nextjs");
          await side.page(sandbox);
        });
        await side.kill(sandbox);
        return time;
      }),
    );
  } finally {
    for (const side of sides) rmSync(side.folder, { recursive: true, force: true });
  }
}

async function withHost(env, work) {
  const host = await startHost(env);
  try {
    await work(client(host), host);
  } finally {
    await host.stop();
  }
}

for (const template of ["nextjs", "base"]) {
  if (!existsSync(join(prepared, "templates", template, "current"))) throw new Error(`build the template first: codeflow template build ${template}`);
}

if (BEFORE) {
  await compare();
  process.exit();
}

await withHost({ SANDBOX_POOL_SIZE: "0" }, async ({ create, kill, pause, connect, run, page }) => {
  const runtime = report("the runtime alone, smallest container", await runtimeAlone());
  const first = report(
    "cold create → first command (base)",
    await repeat(ROUNDS, async () => {
      let sandbox;
      const time = await timed(async () => {
        sandbox = await create("base");
        await run(sandbox, "true");
      });
      await kill(sandbox);
      return time;
    }),
    "goal: 60 ms over the runtime",
  );
  console.log(`${"".padEnd(52)} over the runtime: ${ms(first - runtime)}`);

  const sandbox = await create("base");
  const [freezing, waking] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    freezing.push(await timed(() => pause(sandbox)));
    waking.push(
      await timed(async () => {
        await connect(sandbox);
        await run(sandbox, "true");
      }),
    );
  }
  report("pause", freezing);
  report("wake of a paused sandbox → first command", waking, "goal: milliseconds");
  await run(sandbox, "nohup sh -c 'while :; do :; done' >/dev/null 2>&1 &");
  await pause(sandbox);
  const before = processorTime(sandbox.sandboxID);
  await new Promise((done) => setTimeout(done, 2000));
  console.log(`${"processor time of a paused busy loop in 2 s".padEnd(52)} ${processorTime(sandbox.sandboxID) - before} ms   goal: 0`);
  await kill(sandbox);

  const pages = await repeat(PAGES, async () => {
    let sandbox;
    const time = await timed(async () => {
      sandbox = await create("nextjs");
      await page(sandbox);
    });
    await kill(sandbox);
    return time;
  });
  const cold = report("cold create → first page (nextjs)", pages);
  const bare = report("bare next dev → first page", await bareNextDev());
  console.log(`${"".padEnd(52)} ratio ${(cold / bare).toFixed(2)}   goal: ≤ 1.10`);

  let failures = 0;
  const made = [];
  const time = await timed(async () => {
    while (made.length < CROWD) {
      const ten = Array.from({ length: 10 }, async (_, number) => {
        const sandbox = await create("base");
        made.push(sandbox);
        if ((await run(sandbox, `echo ${number}`)) !== `${number}\n`) throw new Error("wrong output");
      });
      failures += (await Promise.allSettled(ten)).filter((result) => result.status === "rejected").length;
      if (failures > 0) break;
    }
  });
  const answers = await Promise.allSettled(made.map((sandbox) => run(sandbox, "echo here")));
  failures += answers.filter((answer) => answer.status === "rejected" || answer.value !== "here\n").length;
  console.log(`${`${CROWD} base sandboxes at once, made 10 at a time`.padEnd(52)} ${(time / 1000).toFixed(1)} s, ${failures} failures   goal: none`);
  await Promise.all(made.map(kill));
  if (failures > 0) throw new Error(`${failures} of ${CROWD} sandboxes at once did not work`);
});

// One page again and again, beside a neighbour that takes all it gets.
await withHost({ SANDBOX_POOL_SIZE: "0" }, async ({ create, kill, run, page }) => {
  const user = await create("nextjs");
  await page(user);
  const look = () => repeat(LOOKS, () => timed(() => page(user)));
  await look();
  const quiet = report("a page beside no other sandbox", await look());
  const all = Object.values(LOADS).map((load) => `(${load}) &`);
  for (const [what, load] of [...Object.entries(LOADS), ["all of that at once", `${all.join(" ")} wait`]]) {
    const neighbour = await create("base");
    await run(neighbour, `setsid sh -c ${JSON.stringify(load).replaceAll("$", "\\$")} >/dev/null 2>&1 </dev/null &`);
    await new Promise((done) => setTimeout(done, SETTLE));
    const busy = report(`a page beside ${what}`, await look());
    console.log(`${"".padEnd(52)} ratio ${(busy / quiet).toFixed(2)}   goal: ≤ 2.00`);
    await kill(neighbour);
  }
  await kill(user);
});

await withHost({ SANDBOX_POOL_SIZE: "1" }, async ({ create, kill, run, page }, host) => {
  const waiting = (count) => until("a sandbox waits", () => host.log.split("a sandbox waits ready").length > count, 180_000);
  const [handed, shown] = [[], []];
  for (let round = 0; round < POOLED; round++) {
    await waiting(round + 1);
    let sandbox;
    const begun = performance.now();
    sandbox = await create("nextjs");
    handed.push(performance.now() - begun);
    await page(sandbox);
    shown.push(performance.now() - begun);
    await run(sandbox, "true");
    await kill(sandbox);
  }
  report("create from the pool (nextjs)", handed, "goal: ≤ 100 ms");
  report("create from the pool → first page", shown);

  // The same page, asked for again and again, while the pool is refilled and when it is not.
  await waiting(POOLED + 1);
  const user = await create("nextjs");
  await page(user);
  const filling = [];
  while (host.log.split("a sandbox waits ready").length <= POOLED + 2) filling.push(await timed(() => page(user)));
  const quiet = await repeat(Math.max(filling.length, 10), () => timed(() => page(user)));
  const busy = report("a page of a running sandbox while the pool is refilled", filling);
  const calm = report("the same when it is not", quiet);
  console.log(`${"".padEnd(52)} ratio ${(busy / calm).toFixed(2)}`);
  await kill(user);
});
