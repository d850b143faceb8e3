// The conversation's scrolling: it stays at its end until the reader scrolls up, and where the reader is from then on. And the
// buttons that copy code out of an answer.
(() => {
  const NEAR_END = 64;
  const NEAR_START = 400;
  const logs = new WeakMap();

  const follow = (log) => {
    const content = log.firstElementChild;
    const end = log.parentElement.querySelector("[data-log-end]");
    const state = { follows: true, kept: null };
    let last = 0;
    const distance = () => log.scrollHeight - log.scrollTop - log.clientHeight;
    const show = () => {
      end.toggleAttribute("data-shown", !state.follows);
      if (state.follows) delete end.dataset.fresh;
    };
    const toEnd = () => {
      state.follows = true;
      log.scrollTop = log.scrollHeight;
      show();
    };
    const settle = () => {
      // Before the next paint, so that nothing jumps visibly.
      if (state.kept !== null) {
        log.scrollTop = log.scrollHeight - state.kept;
        state.kept = null;
      } else if (state.follows) log.scrollTop = log.scrollHeight;
      else if (distance() < NEAR_END && log.scrollHeight > log.clientHeight) state.follows = true;
      show();
    };
    log.addEventListener("scroll", () => {
      const top = log.scrollTop;
      // Only scrolling up leaves the end: when something is added, the log follows it.
      if (distance() < NEAR_END) state.follows = true;
      else if (top < last) state.follows = false;
      if (top < NEAR_START && top < last) log.querySelector("[data-log-earlier]:enabled")?.click();
      last = top;
      show();
    }, { passive: true });
    // Expanding something keeps its position.
    log.addEventListener("click", ({ target }) => {
      if (target.closest?.("[aria-expanded]")) state.follows = false;
    }, true);
    end.addEventListener("click", () => {
      toEnd();
      log.focus({ preventScroll: true });
    });
    const sizes = new ResizeObserver(settle);
    sizes.observe(log);
    sizes.observe(content);
    logs.set(log, {
      state,
      fresh: () => {
        if (!state.follows) end.dataset.fresh = "";
      },
      keep: () => {
        state.kept = log.scrollHeight - log.scrollTop;
      },
    });
    toEnd();
  };

  const known = (act) => {
    const log = document.querySelector("[data-log]");
    if (!log) return;
    if (logs.has(log)) act(logs.get(log));
    else follow(log);
  };
  /** Follows the log, or announces something new. */
  globalThis.codeflow.followLog = () => known((log) => log.fresh());
  /** Something is inserted above: the visible part stays in place. */
  globalThis.codeflow.keepLogPlace = () => known((log) => log.keep());

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.(".code-copy");
    if (!button) return;
    const text = button.parentElement.querySelector("pre").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
})();
