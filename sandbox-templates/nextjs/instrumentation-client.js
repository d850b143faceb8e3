// Tells the builder page that shows this app in its preview what happens here: loads, hot reloads, errors, and which page is open. It runs
// before the app, in development only. It speaks to nobody but the builder: to the parent window, once that has said hello from the
// builder's origin. CodeFlow's own sandboxes put it into every page by themselves, whatever becomes of this file; it acts once.

const HELLO = "codeflow-builder:hello";
const RELOAD = "codeflow-builder:reload";
const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
const MAX_SIGNS = 20;
const MAX_ERRORS = 20;
const MAX_MESSAGE = 2000;
/** What React writes that is more than a warning: the page does not work as it should. `agent/nextjs/console.rs` has the same words. */
const FAULTS = [
  "Hydration failed",
  "hydrated but some attributes",
  "Maximum update depth exceeded",
  "The above error occurred",
  "React will try to recreate this component tree",
  "An error occurred during hydration",
  "There was an error while hydrating",
  "change in the order of Hooks",
];

let builder = null;
const waiting = [];
/** This page's errors since its last change, by message. */
const errors = new Map();

/** The builder is the address that the sandbox was given. Where that is a loopback one, any other loopback address is it too. */
function isBuilder(origin) {
  const home = new URL(process.env.CODEFLOW_URL ?? "http://localhost").origin;
  return origin === home || (LOOPBACK.test(home) && LOOPBACK.test(origin));
}

function post(message) {
  if (builder) window.parent.postMessage({ source: "codeflow-preview", ...message }, builder);
}

function sign(type) {
  if (builder) post({ type });
  else if (waiting.length < MAX_SIGNS) waiting.push(type);
}

function postErrors() {
  post({ type: "errors", errors: [...errors.values()] });
}

let soon;
function postErrorsSoon() {
  soon ??= setTimeout(() => {
    soon = undefined;
    postErrors();
  }, 250);
}

function listenToBuilder() {
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || !isBuilder(event.origin)) return;
    if (event.data === HELLO) {
      builder = event.origin;
      for (const type of waiting.splice(0)) post({ type });
      postErrors();
      posted = null;
      postPlace();
    }
    if (event.data === RELOAD && event.origin === builder) {
      sign("reloading");
      window.location.reload();
    }
  });
}

let posted = null;
function postPlace() {
  const { pathname, search, hash } = window.location;
  const place = pathname + search + hash;
  if (place !== posted) post({ type: "place", place });
  posted = place;
}

/** A page may change its address with every frame that it draws. */
let moved;
function postPlaceSoon() {
  moved ??= setTimeout(() => {
    moved = undefined;
    postPlace();
  }, 500);
}

function watchPlace() {
  for (const name of ["pushState", "replaceState"]) {
    const change = window.history[name];
    window.history[name] = function (...values) {
      change.apply(this, values);
      postPlaceSoon();
    };
  }
  for (const name of ["popstate", "hashchange"]) window.addEventListener(name, postPlaceSoon);
}

function describe(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** What the console would show. */
function format([first, ...rest]) {
  const text = describe(first).replace(/%([sdifoOc])/g, (whole, letter) => {
    if (rest.length === 0) return whole;
    const value = describe(rest.shift());
    return letter === "c" ? "" : value;
  });
  return [text, ...rest.map(describe)].join(" ");
}

/** Compile errors are the dev server's to report, most of what React logs are warnings, and Next.js throws to navigate. */
function isNoise(kind, message, reason, stack) {
  const digest = String(reason?.digest ?? "");
  if (digest.startsWith("NEXT_") || message.startsWith("ResizeObserver loop")) return true;
  if (kind !== "console" || reason instanceof Error) return false;
  if (/^(⨯ )?\.\/\S+\n|^Warning: |^\[(HMR|Fast Refresh)\]/.test(message)) return true;
  return isOfReact(stack) && !FAULTS.some((fault) => message.includes(fault));
}

/** Whether React called console.error, directly or through wrappers such as this file's and Next's. */
function isOfReact(stack) {
  const writer = stackFrames(stack).find(({ methodName }) => !/(^|\W)error$/.test(methodName));
  return writer !== undefined && writer.file.includes("react-dom");
}

/** The stack's places in what the dev server built, by the files' names on its disk. */
function stackFrames(stack) {
  const found = stack.split("\n").map((line) => /^\s*(?:at )?(?:(.*?)(?: \(|@))?https?:\S+?\/_next(\/static\/\S+?):(\d+):(\d+)\)?$/.exec(line));
  return found
    .filter((parts) => parts !== null)
    .slice(0, 20)
    .map(([, name, path, line, column]) => ({
      file: `file://${process.env.__NEXT_DIST_DIR}${path}`,
      methodName: name ?? "",
      line1: Number(line),
      column1: Number(column),
      arguments: [],
    }));
}

/** The first place in the app's own sources, as the dev server maps it. */
async function findLocation(stack) {
  const frames = stackFrames(stack);
  if (frames.length === 0) return null;
  const answer = await fetch("/__nextjs_original-stack-frames", {
    method: "POST",
    body: JSON.stringify({ frames, isServer: false, isEdgeServer: false, isAppDirectory: true }),
    signal: AbortSignal.timeout(3000),
  });
  for (const { value } of await answer.json()) {
    const { file, line1, column1, ignored } = value?.originalStackFrame ?? {};
    if (!file || !line1 || ignored || /node_modules|instrumentation-client|^https?:/.test(file)) continue;
    return `${file.replace(/^\.\//, "")}:${line1}:${column1 ?? 1}`;
  }
  return null;
}

function note(kind, text, reason, stack = "") {
  // Colours of the terminal say nothing here.
  const message = text.replace(/\u001b\[[\d;]*m/g, "").trim().slice(0, MAX_MESSAGE);
  if (!message || isNoise(kind, message, reason, stack)) return;
  const known = errors.get(message);
  if (known) {
    if (known.kind === "console") known.kind = kind;
  } else if (errors.size < MAX_ERRORS) {
    const error = { kind, message, location: null, path: window.location.pathname.slice(0, 200) };
    errors.set(message, error);
    findLocation(stack).then(
      (location) => {
        error.location = location;
        if (location) postErrorsSoon();
      },
      () => {},
    );
  }
  postErrorsSoon();
}

function watchErrors() {
  window.addEventListener("error", ({ error, message }) => note("error", error ? describe(error) : message, error, error?.stack));
  window.addEventListener("unhandledrejection", ({ reason }) => note("rejection", describe(reason), reason, reason?.stack));
  const log = console.error;
  console.error = (...values) => {
    log.apply(console, values);
    // React puts the error that it caught among other words.
    const error = values.find((value) => value instanceof Error);
    note("console", error ? describe(error) : format(values), error ?? values[0], (error ?? new Error()).stack);
  };
}

/**
 * A change that the dev server announces before Next.js has started is lost, with an error that is not the app's: the page that it
 * would have changed is loaded again.
 */
function reloadForEarlyChange() {
  const onError = (event) => {
    const early = event.error?.stack?.includes("hmrRefresh") && event.message.includes("dispatched before initialization");
    if (!early) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    sign("reloading");
    window.location.reload();
  };
  window.addEventListener("error", onError, true);
}

/** Hides Next's own sign in the app's corner, which `devIndicators` leaves: the builder shows the same errors under the preview. */
function hideToast() {
  const observer = new MutationObserver(() => {
    const root = document.querySelector("nextjs-portal")?.shadowRoot;
    if (!root) return;
    observer.disconnect();
    const style = document.createElement("style");
    style.textContent = "[data-nextjs-toast] { display: none !important }";
    root.append(style);
  });
  observer.observe(document.documentElement, { childList: true, subtree: true });
}

/**
 * Whether nothing but stylesheets is loaded again. No error comes from those, and the check has them compiled again whatever a run
 * changed: a page that shows that is no newer than before.
 */
function changesOnlyStyles(data) {
  try {
    const { type, data: updates } = JSON.parse(data);
    return (
      type === "turbopack-message" &&
      [updates].flat().every(
        ({ type, instruction }) =>
          type === "partial" &&
          instruction.type === "ChunkListUpdate" &&
          !instruction.merged?.length &&
          Object.keys(instruction.chunks ?? {}).every((chunk) => /\.css(\?|$)/.test(chunk)),
      )
    );
  } catch {
    return false;
  }
}

/** Reports the app's changes, which the dev server announces on its socket. */
function watchHotReload() {
  const NativeWebSocket = window.WebSocket;
  window.WebSocket = class extends NativeWebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      if (!String(url).includes("/_next/")) return;
      this.addEventListener("open", () => sign("connected"));
      this.addEventListener("close", () => sign("disconnected"));
      this.addEventListener("message", ({ data }) => {
        // These change this page. `built` comes for every page, and for what is part of none, such as a route handler.
        if (typeof data !== "string" || !/"(serverComponentChanges|reloadPage|turbopack-message)"/.test(data)) return;
        if (changesOnlyStyles(data)) return;
        // Errors from here on are new ones.
        if (errors.size > 0) {
          errors.clear();
          postErrorsSoon();
        }
        // The change is on the page a moment after its message.
        setTimeout(() => sign("updated"), 150);
      });
    }
  };
}

const isDevelopment = typeof window !== "undefined" && process.env.NODE_ENV === "development";
if (isDevelopment && !window.codeflowEarlyChange) {
  Object.defineProperty(window, "codeflowEarlyChange", { value: true });
  reloadForEarlyChange();
}
if (isDevelopment && window.parent !== window && !window.codeflowPreview) {
  Object.defineProperty(window, "codeflowPreview", { value: true });
  listenToBuilder();
  watchPlace();
  watchErrors();
  watchHotReload();
  hideToast();
  window.addEventListener("load", () => sign("loaded"));
}
