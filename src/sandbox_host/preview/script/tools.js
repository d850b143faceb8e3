// The builder's tools in the page, beside what the template's script reports: the frame's own history and the console. This runs in that
// script's scope, in CodeFlow's own sandboxes only: the builder knows by its first word whether it is there.

const BACK = "codeflow-builder:back";
const FORWARD = "codeflow-builder:forward";

/** Handles the builder's requests once the builder is known: the script's own listener ran before. */
function listenForTools() {
  window.addEventListener("message", ({ source, origin, data }) => {
    if (source !== window.parent || origin !== builder) return;
    if (data === HELLO) {
      postHistory();
      sendFrom(sent);
    }
    if (data === ASK_CONSOLE) sendFrom(0);
    if (data === PICK) startPicking();
    if (data === PICK_END) endPicking(false);
    if (data === BACK) travel("back");
    if (data === FORWARD) travel("forward");
  });
}

/** Only the frame's own entries count: `history.back()` would navigate the builder's page. */
function travel(direction) {
  const { navigation } = window;
  if (!navigation?.[direction === "back" ? "canGoBack" : "canGoForward"]) return;
  const { committed, finished } = navigation[direction]();
  for (const step of [committed, finished]) step.catch(() => {});
}

function postHistory() {
  post({ type: "history", back: window.navigation?.canGoBack ?? false, forward: window.navigation?.canGoForward ?? false });
}

let turned;
function watchHistory() {
  window.navigation?.addEventListener("currententrychange", () => {
    turned ??= setTimeout(() => {
      turned = undefined;
      postHistory();
    }, 300);
  });
}

if (window.codeflowPreview && !window.codeflowTools) {
  Object.defineProperty(window, "codeflowTools", { value: true });
  listenForTools();
  watchHistory();
  watchConsole();
  watchNetwork();
}
