// The Terminal tab: the project's shells as tabs, the selected shell, and below it a message if something keeps it from working.
import { openLine } from "./line.js";
import { openScreen, theme } from "./screen.js";

const READER = "terminal-reader";
/** Shorter interruptions are not shown. */
const GRACE = 1000;
const QUICK = 700;
/** How long the size must stay the same before the shell learns of it. */
const SETTLE = 120;
const ICONS = {
  plus: '<path d="M5 12h14"/><path d="M12 5v14"/>',
  x: '<path d="M18 6 6 18"/><path d="m6 6 12 12"/>',
  reader: '<path d="M11 4.702a.705.705 0 0 0-1.203-.498L6.413 7.587A1.4 1.4 0 0 1 5.416 8H3a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2.416a1.4 1.4 0 0 1 .997.413l3.383 3.384A.705.705 0 0 0 11 19.298z"/><path d="M16 9a5 5 0 0 1 0 6"/><path d="M19.364 18.364a9 9 0 0 0 0-12.728"/>',
};
/** The keys that a phone's keyboard lacks. */
const KEYS = [
  ["Esc", "\x1b"], ["Tab", "\t"], ["Ctrl C", "\x03"], ["Ctrl D", "\x04"], ["↑", "\x1b[A", "Up"], ["↓", "\x1b[B", "Down"],
  ["←", "\x1b[D", "Left"], ["→", "\x1b[C", "Right"],
];

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function icon(name) {
  const holder = document.createElement("template");
  holder.innerHTML = `<svg aria-hidden="true" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${ICONS[name]}</svg>`;
  return holder.content;
}

const button = (label, press, ...children) => element("button", { type: "button", class: "tool-button", "aria-label": label, title: label, onclick: press }, ...children);
const nameOf = (number) => `Shell ${number}`;

/** For each state of a sandbox that isn't awake, a message and an action. */
const TROUBLE = {
  none: ["The app has no files yet. A terminal can be opened when the first run has begun to write some.", null],
  starting: ["The sandbox is starting …", null],
  asleep: ["The sandbox is asleep. Its shells go on where they were if it is woken soon.", "Wake"],
  lost: ["The sandbox was lost, and its shells with it. A new shell starts in one made from the latest version.", "New shell"],
  unreachable: ["", "Try again"],
};

/** Shows the project's terminals in the element; `destroy()` ends the view, but no shells. */
export function mount(host, project) {
  /** Where the window remembers the selected shell. */
  const SHOWN = `terminal-${project}`;
  const screens = new Map();
  let shells = [];
  let sandbox = { state: "starting" };
  let current = null;
  let connected = false;
  let late = 0;
  let begun = false;
  let refusal = null;
  let gone = null;
  let reader = globalThis.codeflow.remembered(READER) === "on";
  let colours = null;
  const sizes = new Map();

  const tabs = element("div", { role: "tablist", "aria-label": "Terminals", class: "terminal-tabs" });
  const add = button("New terminal", () => open(false), icon("plus"));
  const close = button("Close the terminal", () => closeShell(current), icon("x"));
  const readerButton = button("Screen reader mode", () => setReader(!reader), icon("reader"));
  const status = element("p", { role: "status", class: "terminal-status" });
  const stage = element("div", { class: "terminal-stage" });
  const empty = element("div", { class: "terminal-empty", hidden: true });
  const notice = element("div", { class: "terminal-notice", role: "alert", hidden: true });
  const keys = element(
    "div",
    { role: "group", "aria-label": "Keys", class: "terminal-keys" },
    ...KEYS.map(([label, text, name]) =>
      element("button", { type: "button", "aria-label": name ?? label, onpointerdown: (event) => event.preventDefault(), onclick: () => type(text) }, label)),
  );
  const hint = element("p", { id: "terminal-hint", class: "terminal-hint" }, "Ctrl F6 leaves the terminal. Ctrl Shift C copies, Ctrl Shift V pastes.");
  const bar = element("div", { class: "terminal-bar" }, tabs, add, close, status, readerButton);
  host.replaceChildren(bar, stage, empty, notice, keys, hint);

  const shellOf = (number) => shells.find((shell) => shell.number === number);
  const isAwake = () => connected && sandbox.state === "awake";
  const type = (text) => {
    if (current === null || !shellOf(current) || shellOf(current).ended || !isAwake()) return;
    if (refusal) say((refusal = null));
    line.type(current, text);
  };
  const size = () => sizes.get(current) ?? [...sizes.values()][0] ?? { cols: 80, rows: 24 };
  const open = (first) => line.ask({ request: "open", ...size(), first });
  const closeShell = (number) => number !== null && line.ask({ request: "close", shell: number });

  function setReader(on) {
    reader = on;
    readerButton.setAttribute("aria-pressed", String(on));
    for (const { screen } of screens.values()) screen.setReader(on);
    globalThis.codeflow.remember(READER, on ? "on" : "off");
  }

  /** The terminal of a shell, created on first use. */
  function screenOf(number) {
    if (screens.has(number)) return screens.get(number);
    const place = element("div", { class: "terminal-screen" });
    const panel = element("div", { role: "tabpanel", id: `terminal-panel-${number}`, "aria-labelledby": `terminal-tab-${number}`, class: "terminal-panel" }, place);
    stage.append(panel);
    colours ??= theme(host);
    const screen = openScreen(place, { reader, colours }, {
      typed: (text) => number === current && type(text),
      leave: () => document.getElementById(`terminal-tab-${current}`)?.focus(),
      own: (address) => say((refusal = `${address} is the sandbox's own address. What listens on port 3000 is in the Preview tab.`)),
    });
    const made = { screen, panel };
    screens.set(number, made);
    return made;
  }

  let settling = 0;
  function fit() {
    clearTimeout(settling);
    const shown = current !== null && screens.get(current);
    const fitted = shown && shown.screen.fit();
    if (!fitted) return;
    settling = setTimeout(() => {
      const known = sizes.get(current);
      sizes.set(current, fitted);
      if (known?.cols === fitted.cols && known?.rows === fitted.rows) return;
      line.ask({ request: "resize", shell: current, ...fitted });
    }, SETTLE);
  }

  function select(number, focus) {
    current = number;
    if (number !== null) sessionStorage.setItem(SHOWN, number);
    for (const [other, { panel }] of screens) panel.hidden = other !== number;
    if (number !== null) screenOf(number).panel.hidden = false;
    draw();
    fit();
    if (focus && number !== null) screens.get(number).screen.focus();
  }

  function onTabKey(event) {
    const at = shells.findIndex((shell) => shell.number === current);
    const to = { ArrowRight: (at + 1) % shells.length, ArrowLeft: (at + shells.length - 1) % shells.length, Home: 0, End: shells.length - 1 }[event.key];
    if (event.key === "Delete") closeShell(current);
    else if (to === undefined) return;
    else select(shells[to].number, false);
    event.preventDefault();
    document.getElementById(`terminal-tab-${current}`)?.focus();
  }
  tabs.addEventListener("keydown", onTabKey);

  function tab({ number, ended }) {
    const selected = number === current;
    return element(
      "button",
      {
        type: "button", role: "tab", id: `terminal-tab-${number}`, "aria-controls": `terminal-panel-${number}`, "aria-selected": String(selected),
        tabindex: selected ? "0" : "-1", class: "terminal-tab", "data-ended": Boolean(ended),
        onclick: () => select(number, true),
        onauxclick: (event) => event.button === 1 && closeShell(number),
      },
      ended ? `${nameOf(number)}, ended` : nameOf(number),
    );
  }

  /** Shows a message with its action, or nothing. */
  function say(words, ...actions) {
    const text = words ?? "";
    const labels = actions.map(([label]) => label).join("|");
    if (notice.dataset.said === `${text}|${labels}`) return;
    notice.dataset.said = `${text}|${labels}`;
    notice.hidden = !text;
    const buttons = actions.map(([label, press]) => element("button", { type: "button", class: "terminal-action", onclick: press }, label));
    notice.replaceChildren(element("p", { dir: "auto" }, text), ...buttons);
  }

  const wake = () => line.ask({ request: "wake" });

  /** When the pane opens, a sandbox that starts quickly gets no message. One that is being woken does: nobody can type yet. */
  const openedAt = Date.now();
  setTimeout(explain, QUICK + 10);

  /** Shows the first reason why the selected shell does not work. */
  function explain() {
    const shell = current === null ? null : shellOf(current);
    if (gone) return say(gone);
    if (refusal) return say(refusal, ["Close", () => ((refusal = null), explain())]);
    if (!connected) return say(null);
    if (sandbox.state === "starting" && Date.now() - openedAt < QUICK) return say(null);
    if (sandbox.state !== "awake") {
      const [words, action] = TROUBLE[sandbox.state];
      const press = action === "New shell" ? () => open(false) : wake;
      return say(words || sandbox.reason, ...(action ? [[action, press]] : []));
    }
    if (!shell?.ended) return say(null);
    const { code, left } = shell.ended;
    const how = { null: "The shell ended with its sandbox.", "-1": "The shell was ended." }[code] ?? `The shell ended with exit code ${code}.`;
    const running = left.map(({ pid, command }) => `${command} (${pid})`).join(", ");
    const actions = [["New shell", () => open(false)]];
    if (left.length) actions.push(["End what still runs", () => line.ask({ request: "end_left", shell: shell.number })]);
    return say(left.length ? `${how} Still running: ${running}.` : how, ...actions);
  }

  function draw() {
    const focused = tabs.contains(document.activeElement);
    const made = shells.map(tab);
    tabs.replaceChildren(...made);
    if (focused) document.getElementById(`terminal-tab-${current}`)?.focus();
    tabs.hidden = shells.length === 0;
    close.hidden = current === null;
    if (current !== null) {
      close.setAttribute("aria-label", `Close ${nameOf(current)}`);
      close.title = `Close ${nameOf(current)}`;
    }
    add.disabled = !connected;
    const locked = !isAwake() || Boolean(shellOf(current)?.ended);
    screens.get(current)?.screen.setLocked(locked);
    keys.hidden = locked || current === null;
    status.textContent = connected ? "" : late ? "Reconnecting …" : "";
    const isEmpty = connected && begun && isAwake() && shells.length === 0;
    empty.hidden = !isEmpty;
    if (isEmpty && !empty.childElementCount) {
      empty.append(
        element("p", {}, "No terminal is open."),
        element("button", { type: "button", class: "terminal-action", onclick: () => open(false) }, "New shell"),
      );
    }
    explain();
  }

  function take(frame) {
    if (frame.frame === "refused") {
      refusal = frame.reason;
      return explain();
    }
    if (frame.frame === "opened") return select(frame.shell, true);
    ({ sandbox, shells } = frame);
    const numbers = new Set(shells.map(({ number }) => number));
    for (const [number, { screen, panel }] of screens) {
      if (numbers.has(number)) continue;
      screen.destroy();
      panel.remove();
      screens.delete(number);
      sizes.delete(number);
    }
    for (const { number, end } of shells) {
      const isNew = !screens.has(number);
      const { screen, panel } = screenOf(number);
      if (isNew || fresh) screen.setOld(end);
      if (isNew) panel.hidden = number !== current;
    }
    fresh = false;
    if (current === null || !numbers.has(current)) {
      const shown = Number(sessionStorage.getItem(SHOWN));
      const running = shells.findLast(({ ended }) => !ended) ?? shells.at(-1);
      select(numbers.has(shown) ? shown : (running?.number ?? null), stage.contains(document.activeElement));
    }
    if (sandbox.state === "awake" && !begun) {
      begun = true;
      if (shells.length === 0) open(true);
    }
    return draw();
  }

  /** Whether the next list of shells is the first on its connection. */
  let fresh = true;
  const line = openLine(project, {
    open() {
      connected = true;
      fresh = true;
      clearTimeout(late);
      late = 0;
      line.ask({ request: "follow", have: [...screens].map(([number, { screen }]) => [number, screen.have()]) });
      sizes.clear();
      draw();
      fit();
    },
    lost() {
      connected = false;
      late ||= setTimeout(draw, GRACE);
      screens.get(current)?.screen.setLocked(true);
    },
    refused(reason) {
      gone = `The terminal can't be shown: ${reason}.`;
      draw();
    },
    frame: take,
    output: (shell, place, bytes) => screenOf(shell).screen.show(place, bytes),
  });

  const sized = new ResizeObserver(fit);
  sized.observe(stage);
  const themed = new MutationObserver(() => {
    colours = theme(host);
    for (const { screen } of screens.values()) screen.setColours(colours);
  });
  themed.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  readerButton.setAttribute("aria-pressed", String(reader));
  draw();

  return {
    destroy() {
      sized.disconnect();
      themed.disconnect();
      line.close();
      for (const { screen } of screens.values()) screen.destroy();
    },
  };
}
