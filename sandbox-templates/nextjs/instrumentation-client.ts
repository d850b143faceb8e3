// Tells the builder page that shows this app in its preview what happens here. It runs before the app, in development only, and says
// nothing when the app is opened by itself.

type PreviewReport = { type: "loaded" | "updated" | "connected" | "disconnected" } | { type: "error"; message: string };

const framed = typeof window !== "undefined" && window.parent !== window;

function report(report: PreviewReport) {
  // Whoever frames the app may know: it holds no secret.
  window.parent.postMessage({ source: "codeflow-preview", ...report }, "*");
}

function describe(reason: unknown): string {
  const text = reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
  return text.slice(0, 2000);
}

/** The dev server's socket tells when the app was changed; it is watched as it is made. */
function watchHotReload() {
  const NativeWebSocket = window.WebSocket;
  window.WebSocket = class extends NativeWebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      if (!String(url).includes("/_next/")) return;
      this.addEventListener("open", () => report({ type: "connected" }));
      this.addEventListener("close", () => report({ type: "disconnected" }));
      this.addEventListener("message", (event: MessageEvent) => {
        if (typeof event.data === "string" && /"(built|serverComponentChanges|reloadPage|turbopack-message)"/.test(event.data)) {
          // The change is on the page a moment after its message.
          setTimeout(() => report({ type: "updated" }), 150);
        }
      });
    }
  };
}

if (framed && process.env.NODE_ENV === "development") {
  watchHotReload();
  window.addEventListener("load", () => report({ type: "loaded" }));
  window.addEventListener("error", (event) => report({ type: "error", message: describe(event.error ?? event.message) }));
  window.addEventListener("unhandledrejection", (event) => report({ type: "error", message: describe(event.reason) }));
}
