// What the page writes to its console, throws, and fails to load, for the builder's console. The newest entries are kept here, so that a
// builder that asks late misses none of them.

const ASK_CONSOLE = "codeflow-builder:console";
const MAX_KEPT = 200;
const MAX_TEXT = 2000;
const SEND_INTERVAL_MS = 400;
const LEVELS = { debug: "message", log: "message", info: "message", warn: "warning", error: "error" };
/** Messages from the dev server's own client. */
const DEV_TALK = /^(%c)?(\[(HMR|Fast Refresh)\]|Download the React DevTools)/;

/** Distinguishes this page's entries from the previous page's. */
const pageId = Math.random().toString(36).slice(2);
const kept = [];
let recorded = 0;
let sent = 0;
let sending;

function record(level, text) {
  kept.push({ number: recorded++, level, text: text.slice(0, MAX_TEXT) });
  if (kept.length > MAX_KEPT) kept.shift();
  if (builder) sending ??= setTimeout(sendNew, SEND_INTERVAL_MS);
}

function sendNew() {
  sending = undefined;
  sendFrom(sent);
}

function sendFrom(first) {
  const entries = kept.filter(({ number }) => number >= first);
  sent = recorded;
  if (entries.length > 0) post({ type: "console", page: pageId, place: window.location.pathname.slice(0, 200), entries });
}

/** Formats a value like a console, within limits of depth and length; never calls the app's code. */
function inspect(value, depth = 0) {
  if (typeof value === "string") return depth === 0 ? value : JSON.stringify(value.slice(0, 300));
  if (typeof value === "function") return `ƒ ${value.name}()`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return value.stack?.includes(value.message) ? value.stack : `${value.name}: ${value.message}`;
  if (value instanceof Element) return `<${value.localName}${value.id && `#${value.id}`}>`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  const name = Object.prototype.toString.call(value).slice(8, -1);
  if (depth > 2) return Array.isArray(value) ? "[…]" : "{…}";
  const part = (own) => inspect(own, depth + 1);
  const listed = (parts, size, open, close) => `${open}${parts.join(", ")}${size > parts.length ? ", …" : ""}${close}`;
  if (Array.isArray(value)) return listed(value.slice(0, 20).map(part), value.length, "[", "]");
  if (value instanceof Set) return listed([...value].slice(0, 20).map(part), value.size, `Set(${value.size}) {`, "}");
  if (value instanceof Map) {
    const pairs = [...value].slice(0, 20).map(([key, own]) => `${part(key)} => ${part(own)}`);
    return listed(pairs, value.size, `Map(${value.size}) {`, "}");
  }
  const keys = Object.keys(value);
  const fields = keys.slice(0, 20).map((key) => {
    const field = Object.getOwnPropertyDescriptor(value, key);
    return `${key}: ${field && "value" in field ? part(field.value) : "(…)"}`;
  });
  return listed(fields, keys.length, name === "Object" ? "{" : `${name} {`, "}");
}

function inWords([first, ...rest]) {
  const text =
    typeof first === "string"
      ? first.replace(/%([sdifoOc%])/g, (whole, letter) => {
          if (letter === "%") return "%";
          if (rest.length === 0) return whole;
          const value = rest.shift();
          return letter === "c" ? "" : inspect(value);
        })
      : inspect(first);
  return [text, ...rest.map((value) => inspect(value))].join(" ");
}

function watchConsole() {
  for (const [name, level] of Object.entries(LEVELS)) {
    const own = console[name];
    console[name] = (...values) => {
      own.apply(console, values);
      try {
        if (!DEV_TALK.test(values[0])) record(level, inWords(values).replace(/\u001b\[[\d;]*m/g, ""));
      } catch {
        // A value that can't be read, such as a revoked proxy.
      }
    };
  }
  window.addEventListener("error", ({ error, message }) => record("error", `Uncaught ${error ? inspect(error) : message}`));
  window.addEventListener("unhandledrejection", ({ reason }) => record("error", `Unhandled rejection: ${inspect(reason)}`));
}

function shortAddress(address) {
  const url = new URL(address, window.location.href);
  const text = url.origin === window.location.origin ? url.pathname + url.search : url.href;
  return text.slice(0, 300);
}

function recordFailure(method, address, outcome) {
  try {
    if (!/\/__nextjs_/.test(address)) record("network", `${method.toUpperCase()} ${shortAddress(address)} ${outcome}`);
  } catch {
    // Not a valid address.
  }
}

function watchNetwork() {
  const { fetch } = window;
  window.fetch = function (...request) {
    const answer = fetch.apply(this, request);
    const [target, options] = request;
    const failed = (outcome) => recordFailure(String(options?.method ?? target?.method ?? "GET"), String(target?.url ?? target), outcome);
    answer.then(
      ({ status }) => status >= 400 && failed(String(status)),
      (error) => error?.name !== "AbortError" && failed("failed"),
    );
    return answer;
  };
  const { open } = XMLHttpRequest.prototype;
  const watched = new WeakMap();
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    if (!watched.has(this)) {
      this.addEventListener("load", () => this.status >= 400 && recordFailure(...watched.get(this), String(this.status)));
      this.addEventListener("error", () => recordFailure(...watched.get(this), "failed"));
    }
    watched.set(this, [String(method), String(address)]);
    return open.call(this, method, address, ...rest);
  };
  // Images, scripts and stylesheets fire this only on themselves.
  const onFailure = ({ target }) => {
    const address = target instanceof Element && (target.currentSrc || target.src || target.href);
    if (typeof address === "string" && address) recordFailure("GET", address, `failed (${target.localName})`);
  };
  window.addEventListener("error", onFailure, true);
}
