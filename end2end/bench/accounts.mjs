// Measures what accounts cost: a signed-in page beside the same one without accounts, sign-ins, and what authorization asks the database.
// Figures with the goals beside them. Speed fails nothing, but what does not work does.
import { mkdirSync, rmSync } from "node:fs";
import { PASSWORD } from "../people.mjs";
import { data, startServer, until } from "../server.mjs";
import { line, median } from "./shared.mjs";

/** Requests for each page, and sign-ins. */
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 300);
const SIGN_INS = Number(process.env.BENCH_SIGN_INS ?? 200);
/** Sign-ins at a time. */
const AT_A_TIME = 8;
/** Requests before those that count. */
const WARM_UP = 10;

const ms = (value) => `${value.toFixed(2)} ms`;

/** Somebody at a server: requests with their cookie, each answered with success. */
function visitor(server, cookie = "") {
  const url = `http://127.0.0.1:${server.port}`;
  const ask = async (path, { form, headers } = {}) => {
    const answer = await fetch(`${url}${path}`, {
      method: form ? "POST" : "GET",
      body: form && new URLSearchParams(form),
      headers: { accept: "application/json", cookie, ...headers },
      redirect: "manual",
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text.slice(0, 200)}`);
    return { answer, text };
  };
  const look = (path) => ask(path, { headers: { accept: "text/html" } });
  /** How many statements the database has had. */
  const queries = async () => {
    const { text } = await ask("/metrics", { headers: { cookie: "" } });
    return Number(/^codeflow_database_queries_total (\d+)$/m.exec(text)[1]);
  };
  return { ask, look, queries };
}

/** A project with a question that the demo has answered: no sandbox has a part in it. */
async function project(visitor) {
  const { text } = await visitor.ask("/api/projects/create", { form: { prompt: "What is this?", mode: "ask" } });
  const id = JSON.parse(text);
  await until("the run ends", async () => {
    const workspace = JSON.parse((await visitor.ask(`/api/projects/workspace?project=${id}`)).text);
    return workspace.runs.length && workspace.runs.every((run) => run.finished_at);
  });
  return id;
}

/** Statements for each request, those of the counting left out. */
async function queriesEach(visitor, path, look) {
  const counting = await visitor.queries().then(async (before) => (await visitor.queries()) - before);
  const before = await visitor.queries();
  for (let count = 0; count < REQUESTS; count++) await (look ? visitor.look(path) : visitor.ask(path));
  return ((await visitor.queries()) - before - counting) / REQUESTS;
}

const folder = `${data}-off`;
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true, mode: 0o700 });
const servers = [];
try {
  servers.push(await startServer({ AUTH: "off", CODEFLOW_DATA_DIR: folder }));
  servers.push(await startServer({ AUTH: "on", TRUSTED_PROXIES: "127.0.0.1" }));
  const [open, guarded] = servers;
  const { answer } = await visitor(guarded).ask("/api/account/sign-up", { form: { email: "ada@example.com", password: PASSWORD } });
  const cookie = answer.headers.get("set-cookie").split(";")[0];
  const [local, ada] = [visitor(open), visitor(guarded, cookie)];
  const pages = [
    ["the home page", "/", "/"],
    ["a project's page", `/projects/${await project(local)}`, `/projects/${await project(ada)}`],
  ];
  for (const [name, without, signedIn] of pages) {
    const times = [[], []];
    for (let round = -WARM_UP; round < REQUESTS; round++) {
      // In turns, so that whatever else the machine does slows both down.
      const both = [() => local.look(without), () => ada.look(signedIn)];
      for (const which of round % 2 ? [0, 1] : [1, 0]) {
        const begun = performance.now();
        await both[which]();
        if (round >= 0) times[which].push(performance.now() - begun);
      }
    }
    const [off, on] = times.map(median);
    line(`${name} without accounts, median of ${REQUESTS}`, ms(off));
    line(`${name}, signed in`, ms(on));
    line("ratio", (on / off).toFixed(2), "goal: ≤ 1.1");
  }

  const list = "/api/projects/list";
  const more = (await queriesEach(ada, list)) - (await queriesEach(local, list));
  line("queries more for a signed-in request", more.toFixed(2), "goal: ≤ 1");
  const [, without, signedIn] = pages[1];
  const onPage = (await queriesEach(ada, signedIn, true)) - (await queriesEach(local, without, true));
  line("queries more for a signed-in page (with its credits)", onPage.toFixed(2));

  // Somebody else asks for as much as their account and address may, and for more.
  const calm = [];
  const troubled = [];
  const time = async (times) => {
    const begun = performance.now();
    await ada.look(signedIn);
    times.push(performance.now() - begun);
  };
  for (let count = 0; count < REQUESTS; count++) await time(calm);
  let storming = true;
  const storm = async (number) => {
    const headers = { accept: "application/json", "x-forwarded-for": "203.0.113.9" };
    const body = new URLSearchParams({ email: `nobody-${number}@example.com`, password: PASSWORD });
    while (storming) await fetch(`http://127.0.0.1:${guarded.port}/api/account/sign-in`, { method: "POST", headers, body }).then((answer) => answer.text());
  };
  const storms = Array.from({ length: 4 * AT_A_TIME }, (_, number) => storm(number));
  try {
    for (let count = 0; count < REQUESTS; count++) await time(troubled);
  } finally {
    storming = false;
    await Promise.all(storms);
  }
  line("a page's time in somebody's storm of sign-ins, ratio", (median(troubled) / median(calm)).toFixed(2), "goal: ≤ 2");

  // From many addresses, as from many people: one is slowed down after some.
  const form = { email: "ada@example.com", password: PASSWORD };
  const stranger = visitor(guarded);
  let next = 0;
  const begun = performance.now();
  const signIn = async () => {
    for (let number = next++; number < SIGN_INS; number = next++) {
      await stranger.ask("/api/account/sign-in", {
        form: { ...form, email: `person-${number % AT_A_TIME}@example.com` },
        headers: { "x-forwarded-for": `192.0.2.${number % 250}` },
      });
    }
  };
  for (let number = 0; number < AT_A_TIME; number++) {
    const headers = { "x-forwarded-for": `198.51.100.${number}` };
    await stranger.ask("/api/account/sign-up", { form: { ...form, email: `person-${number}@example.com` }, headers });
  }
  const started = performance.now();
  await Promise.all(Array.from({ length: AT_A_TIME }, signIn));
  line(`sign-ins a second, ${AT_A_TIME} at a time (Argon2id, 19 MiB, 2 passes)`, ((SIGN_INS * 1000) / (performance.now() - started)).toFixed(1));
  line("one sign-up (a hash, too)", ms((started - begun) / AT_A_TIME));
} finally {
  for (const server of servers) await server.stop();
}
