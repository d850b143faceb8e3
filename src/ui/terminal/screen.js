// One terminal: xterm.js with the page's colours, a keyboard exit, and its old output after a reload.
import { FitAddon } from "@xterm/addon-fit";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal } from "@xterm/xterm";
import { nonce } from "../nonce.js";

const ANSI = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
/** Addresses that mean the sandbox there, but this machine here. */
const OWN_ADDRESS = /^https?:\/\/(localhost|127\.|0\.0\.0\.0|\[::1?\])/i;
/** A larger gap means a different shell that reuses the number. */
const OTHER = 1e9;
const NOTE = ["\x18\x1b[0m\r\n\x1b[2m", "\x1b[0m\r\n"];

const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** A variable of the style sheet as xterm.js reads colours. */
function colour(style, name) {
  paint.clearRect(0, 0, 1, 1);
  paint.fillStyle = style.getPropertyValue(name).trim() || "#808080";
  paint.fillRect(0, 0, 1, 1);
  const [red, green, blue] = paint.getImageData(0, 0, 1, 1).data;
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** The page's current theme. */
export function theme(host) {
  const style = getComputedStyle(host);
  const read = (name) => colour(style, name);
  const colours = {
    background: read("--card"),
    foreground: read("--foreground"),
    cursor: read("--foreground"),
    cursorAccent: read("--card"),
    selectionBackground: `${read("--brand")}55`,
  };
  for (const name of ANSI) {
    colours[name] = read(`--ansi-${name}`);
    colours[`bright${name[0].toUpperCase()}${name.slice(1)}`] = read(`--ansi-bright-${name}`);
  }
  return colours;
}

/** Copies the text; pages that were not sent over HTTPS have no clipboard of their own. */
function copy(text) {
  if (navigator.clipboard) {
    // Refused only if the user forbade it.
    navigator.clipboard.writeText(text).catch(() => {});
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/**
 * Opens the terminal in the element under the page's policy, which refuses style elements without its nonce, and style attributes.
 * xterm.js knows no policy: it makes the elements while it opens, and colours cells by attribute.
 */
function openIn(host, terminal) {
  document.createElement = (name, options) => {
    const made = Document.prototype.createElement.call(document, name, options);
    if (made instanceof HTMLStyleElement) made.nonce = nonce;
    return made;
  };
  try {
    terminal.open(host);
  } finally {
    delete document.createElement;
  }
  terminal._core._renderService._renderer.value._rowFactory._addStyle = (cell, style) => {
    cell.style.cssText += style;
  };
}

/**
 * A terminal in the element. `on.typed(text)` is called for what is typed, `on.leave()` when the keyboard is to leave it, `on.own(address)`
 * for a link that only the sandbox can follow.
 */
export function openScreen(host, { reader, colours }, on) {
  const follow = (event, address) => {
    if (OWN_ADDRESS.test(address)) on.own(address);
    else window.open(address, "_blank", "noopener,noreferrer");
  };
  const terminal = new Terminal({
    fontFamily: getComputedStyle(host).fontFamily,
    fontSize: 13,
    lineHeight: 1.25,
    scrollback: 5000,
    cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    minimumContrastRatio: 4.5,
    macOptionIsMeta: true,
    rightClickSelectsWord: false,
    screenReaderMode: reader,
    theme: colours,
    linkHandler: { activate: follow },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(new WebLinksAddon(follow));
  openIn(host, terminal);
  terminal.textarea.setAttribute("aria-describedby", "terminal-hint");

  /** The positions in the shell's output up to which it was given text, and up to which it has shown it. */
  let given = null;
  let shown = 0;
  /** Output before this position is old; its terminal queries were answered long ago. */
  let old = 0;

  terminal.onData((text) => shown >= old && on.typed(text));
  terminal.attachCustomKeyEventHandler((key) => {
    const isCopy = key.ctrlKey && !key.altKey && !key.metaKey && key.code === "KeyC" && (key.shiftKey || terminal.hasSelection());
    if (isCopy) {
      if (key.type === "keydown") {
        key.preventDefault();
        copy(terminal.getSelection());
        terminal.focus();
        if (!key.shiftKey) terminal.clearSelection();
      }
      return false;
    }
    // The browser pastes, as plain text.
    if (key.ctrlKey && key.shiftKey && key.code === "KeyV") return false;
    if (key.ctrlKey && key.key === "F6") {
      if (key.type === "keydown") {
        key.preventDefault();
        on.leave();
      }
      return false;
    }
    return true;
  });

  return {
    /** Shows the shell's output; `at` is the position of the first byte. */
    show(at, bytes) {
      const gap = given === null ? 0 : at - given;
      if (gap < 0 || gap > OTHER) terminal.reset();
      else if (gap > 0) terminal.write(`${NOTE[0]}[${Math.ceil(gap / 1024)} kB were left out: the connection was too slow.]${NOTE[1]}`);
      const until = at + bytes.length;
      given = until;
      terminal.write(bytes, () => (shown = until));
    },
    /** The position up to which it has the shell's output. */
    have: () => given ?? 0,
    /** Output before this position is old. */
    setOld(until) {
      old = until;
    },
    /** Fits it to its element, and returns its size if it has one. */
    fit() {
      if (!host.clientWidth || !host.clientHeight) return null;
      fit.fit();
      return { cols: terminal.cols, rows: terminal.rows };
    },
    setColours(colours) {
      terminal.options.theme = colours;
    },
    setReader(reader) {
      terminal.options.screenReaderMode = reader;
    },
    setLocked(locked) {
      terminal.options.disableStdin = locked;
    },
    focus: () => terminal.focus(),
    destroy: () => terminal.dispose(),
  };
}
