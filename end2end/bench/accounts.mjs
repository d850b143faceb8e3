// Measures what accounts cost: a signed-in page beside the same one without accounts, sign-ins, and what authorization asks the database;
// and whether the time of a failure tells that an account exists. Figures with the goals beside them. Speed fails nothing, but what does
// not work does.
import { EventEmitter, once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { PASSWORD } from "../people.mjs";
import { PATIENCE, data, startAgain, startServer, until } from "../server.mjs";
import { line, median, report } from "./shared.mjs";

/** Requests for each page, and sign-ins. */
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 300);
const SIGN_INS = Number(process.env.BENCH_SIGN_INS ?? 200);
/** Failures of each kind. */
const FAILURES = Number(process.env.BENCH_FAILURES ?? 200);
/** Sign-ins at a time. */
const AT_A_TIME = 8;
/** Requests before those that count. */
const WARM_UP = 10;
/** Accounts: each gets as many letters as the server sends to one address at once. */
const PEOPLE = Math.max(AT_A_TIME, Math.ceil((FAILURES + WARM_UP) / 4));

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

/** A mail server that takes every letter (RFC 5321); `taken` emits `letter` for each. */
async function startMail() {
  const taken = new EventEmitter();
  const server = createServer((socket) => {
    let inLetter = false;
    socket.on("error", () => {});
    socket.write("220 mail.test\r\n");
    createInterface({ input: socket }).on("line", (line) => {
      if (inLetter && line !== ".") return;
      if (inLetter) taken.emit("letter");
      inLetter = !inLetter && line === "DATA";
      socket.write(inLetter ? "354 go on\r\n" : line === "QUIT" ? "221 bye\r\n" : "250 fine\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { taken, url: `smtp://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

/** Times of the same request for an address that has an account and for one that has none. */
async function compare(what, ask) {
  const times = { known: [], unknown: [] };
  for (let round = -WARM_UP; round < FAILURES; round++) {
    for (const kind of round % 2 ? ["known", "unknown"] : ["unknown", "known"]) {
      const number = (round + WARM_UP) % PEOPLE;
      const took = await ask(`${kind === "known" ? "person" : "nobody"}-${number}@example.com`, kind === "known");
      if (round >= 0) times[kind].push(took);
    }
  }
  const medians = Object.entries(times).map(([kind, times]) => report(`${what}, ${kind} account`, times));
  line("ratio of the medians", (Math.max(...medians) / Math.min(...medians)).toFixed(2), "goal: ≤ 1.1");
}

/** What failures take, each from an address of its own: many from one are slowed down. */
async function failures(server, mail) {
  let asked = 0;
  const time = async (path, status, form) => {
    const headers = { accept: "application/json", "x-forwarded-for": `198.18.${asked >> 8}.${asked++ & 255}` };
    const begun = performance.now();
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST", headers, body: new URLSearchParams(form) });
    const text = await answer.text();
    const took = performance.now() - begun;
    if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${text.slice(0, 200)}`);
    return took;
  };
  await compare("a wrong password", (email) => time("/api/account/sign-in", 401, { email, password: `not ${PASSWORD}` }));
  await compare("a request for a reset", async (email, isKnown) => {
    // What follows the answer must not slow down the next one.
    const letter = isKnown && once(mail.taken, "letter", { signal: AbortSignal.timeout(PATIENCE) });
    const took = await time("/api/account/reset-link", 200, { email });
    await letter;
    return took;
  });
}

const folder = `${data}-off`;
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true, mode: 0o700 });
const servers = [];
const mail = await startMail();
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
  for (let number = 0; number < PEOPLE; number++) {
    const headers = { "x-forwarded-for": `198.51.100.${number}` };
    await stranger.ask("/api/account/sign-up", { form: { ...form, email: `person-${number}@example.com` }, headers });
  }
  const started = performance.now();
  await Promise.all(Array.from({ length: AT_A_TIME }, signIn));
  line(`sign-ins a second, ${AT_A_TIME} at a time (Argon2id, 19 MiB, 2 passes)`, ((SIGN_INS * 1000) / (performance.now() - started)).toFixed(1));
  line("one sign-up (a hash, too)", ms((started - begun) / PEOPLE));

  // The same accounts at a server that sends e-mail.
  await guarded.stop();
  guarded.env.SMTP_URL = mail.url;
  servers.push(await startAgain(guarded));
  await failures(guarded, mail);
} finally {
  for (const server of servers) await server.stop();
  mail.stop();
}
