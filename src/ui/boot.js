// Runs before the first paint: preferences must not flash. They come with the page from the server, so that all devices
// follow; the browser's own storage has them for pages without, and for a change that the server may not have yet.
(() => {
  const root = document.documentElement;
  const sent = JSON.parse(root.dataset.preferences || "{}");
  const local = (key, value) => {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch {
      // Storage may be disabled: the server's copy is enough.
    }
    return null;
  };
  const RECENT = 15_000;
  const stored = (key) => {
    const isRecent = Date.now() - Number(local(`${key}-at`)) < RECENT;
    return (isRecent ? local(key) : null) ?? sent[key] ?? local(key);
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const theme = stored("theme");
    const isDark = theme === "dark" || (theme !== "light" && dark.matches);
    root.classList.toggle("dark", isDark);
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", isDark ? "#111114" : "#fcfcfd");
  };
  globalThis.codeflow = {
    remembered: stored,
    localTime(at) {
      const fields = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
      return new Date(at).toLocaleString(undefined, fields);
    },
    /** Saves a preference here and on the server. */
    remember(name, value) {
      sent[name] = value;
      local(name, value);
      local(`${name}-at`, Date.now());
      if (name === "theme") paint();
      const body = JSON.stringify({ name, value });
      fetch("/api/preferences", { method: "POST", headers: { "content-type": "application/json" }, body, keepalive: true }).catch(() => {
        // Offline: this browser has it, and the next change sends it again.
      });
    },
  };
  // The server's page can be clicked before its code has come. The last of these clicks is made again once the code is there,
  // unless the browser has done by itself what it is for.
  let early = null;
  const keep = ({ target }) => {
    const button = target instanceof Element ? target.closest("button") : null;
    const isNative = !button || button.hasAttribute("popovertarget") || (button.form && button.type === "submit");
    early = isNative ? null : button;
  };
  addEventListener("click", keep, true);
  globalThis.codeflow.comeAlive = () => {
    removeEventListener("click", keep, true);
    root.dataset.live = "";
    if (early?.isConnected) early.click();
  };
  paint();
  dark.addEventListener("change", paint);
  // Other tabs follow at once.
  addEventListener("storage", ({ key, newValue }) => {
    if (key === null || newValue === null || key.endsWith("-at")) return;
    sent[key] = newValue;
    if (key === "theme") paint();
  });
  const width = Number(stored("chat-width"));
  if (width) root.style.setProperty("--chat-width", `${width}px`);
  root.dataset.demoNotice = stored("demo-notice") ?? "open";

  const online = () => {
    if (navigator.onLine) delete root.dataset.offline;
    else root.dataset.offline = "";
  };
  online();
  addEventListener("online", online);
  addEventListener("offline", online);
  // An error in the page's own code: the content stays, and a message says how to go on.
  addEventListener("error", ({ error }) => {
    if (error instanceof WebAssembly.RuntimeError) root.dataset.broken = "";
  });
  addEventListener("unhandledrejection", ({ reason }) => {
    if (reason instanceof WebAssembly.RuntimeError) root.dataset.broken = "";
  });
})();
