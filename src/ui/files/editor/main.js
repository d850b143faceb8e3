// The code editor: CodeMirror behind a narrow interface, `globalThis.codeflowEditor`, which the Code tab calls. esbuild bundles it
// into `public/editor/`; the page loads it when the tab is first opened. Colours are the style sheet's variables.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, codeFolding, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorSelection, EditorState, Transaction } from "@codemirror/state";
import {
  crosshairCursor, drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers,
  rectangularSelection,
} from "@codemirror/view";
import { language } from "./language.js";
import { look } from "./look.js";

/** Marks changes that come from the server. */
const outside = Annotation.define();

/** The smallest change between two texts: their common beginning and end stay untouched. */
function difference(before, after) {
  let start = 0;
  const shorter = Math.min(before.length, after.length);
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let end = 0;
  while (end < shorter - start && before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)) end++;
  return { from: start, to: before.length - end, insert: after.slice(start, after.length - end) };
}

/** Whether all lines have this ending, which they then keep. */
const hasCarriageReturns = (text) => text.includes("\r\n") && !/(^|[^\r])\n/.test(text);

/**
 * Shows an editor in the element. `on.changed(path)`, `on.save(path)` and `on.moved(path, line)` are called for what the user does; the
 * methods of what is returned never call them.
 */
function mount(host, on) {
  const writable = new Compartment();
  const files = new Map();
  let path = null;
  const locks = (locked) => [EditorState.readOnly.of(locked), EditorView.editable.of(!locked)];

  const shared = [
    lineNumbers(),
    highlightActiveLineGutter(),
    highlightSpecialChars(),
    history(),
    foldGutter(),
    codeFolding(),
    drawSelection(),
    dropCursor(),
    EditorState.allowMultipleSelections.of(true),
    indentOnInput(),
    indentUnit.of("  "),
    bracketMatching(),
    closeBrackets(),
    autocompletion(),
    rectangularSelection(),
    crosshairCursor(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    search({ top: true }),
    keymap.of([
      { key: "Mod-s", preventDefault: true, run: () => (on.save(path), true) },
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...completionKeymap,
      indentWithTab,
    ]),
    look,
    // Escape, then Tab, leaves the editor; a text that is only read can be scrolled by keyboard.
    EditorView.contentAttributes.of({ "aria-label": "Editor", tabindex: "0", dir: "ltr", spellcheck: "false", autocapitalize: "off", autocorrect: "off" }),
    EditorView.updateListener.of((update) => {
      if (path === null) return;
      const own = update.transactions.some((change) => change.docChanged && !change.annotation(outside));
      if (own) on.changed(path);
      if (update.selectionSet && !update.transactions.some((change) => change.annotation(outside))) {
        on.moved(path, update.state.doc.lineAt(update.state.selection.main.head).number);
      }
    }),
  ];
  const stateOf = (name, text, locked) =>
    EditorState.create({ doc: text, extensions: [shared, writable.of(locks(locked)), language(name)] });

  const view = new EditorView({ parent: host, state: stateOf("", "", true) });
  view.dom.hidden = true;

  const put = () => {
    const file = path !== null && files.get(path);
    if (file) Object.assign(file, { state: view.state, top: view.scrollDOM.scrollTop, left: view.scrollDOM.scrollLeft });
  };
  const stateNow = (name) => (name === path ? view.state : files.get(name)?.state);
  const dispatch = (name, spec) => {
    const file = files.get(name);
    if (!file) return;
    if (name === path) view.dispatch(spec);
    else file.state = file.state.update(spec).state;
  };

  return {
    /** Adds a file; a file that it already has stays as it is. */
    open(name, text, locked) {
      if (files.has(name)) return;
      files.set(name, { state: stateOf(name, text, locked), top: 0, left: 0, carriageReturns: hasCarriageReturns(text) });
    },
    /** Shows one of its files as it was left. */
    show(name) {
      const file = files.get(name);
      if (!file) return;
      if (name !== path) {
        put();
        path = null;
        view.setState(file.state);
        path = name;
      }
      view.dom.hidden = false;
      view.requestMeasure({ read: () => {}, write: () => view.scrollDOM.scrollTo(file.left, file.top) });
    },
    /** Shows no file. */
    hide() {
      put();
      path = null;
      view.dom.hidden = true;
    },
    text(name) {
      const text = stateNow(name)?.sliceDoc() ?? "";
      return files.get(name)?.carriageReturns ? text.replaceAll("\n", "\r\n") : text;
    },
    /** Replaces a file's text; the cursor stays, and undo does not go back before it. */
    replace(name, text) {
      const state = stateNow(name);
      if (!state) return;
      files.get(name).carriageReturns = hasCarriageReturns(text);
      const before = state.sliceDoc();
      const after = text.replace(/\r\n?/g, "\n");
      if (before === after) return;
      dispatch(name, { changes: difference(before, after), annotations: [outside.of(true), Transaction.addToHistory.of(false)] });
    },
    /** Appends to a file that is being written, and follows its end. */
    grow(name, text) {
      const state = stateNow(name);
      if (!state) return;
      this.replace(name, text);
      if (name === path) {
        view.dispatch({ effects: EditorView.scrollIntoView(view.state.doc.length, { y: "end" }), annotations: outside.of(true) });
      }
    },
    /** Makes the file read-only, or editable again. */
    lock(name, locked) {
      const state = stateNow(name);
      if (!state || state.readOnly === locked) return;
      dispatch(name, { effects: writable.reconfigure(locks(locked)), annotations: outside.of(true) });
    },
    /** Forgets a file and its history. */
    close(name) {
      if (name === path) this.hide();
      files.delete(name);
    },
    /** Renames a file. */
    rename(from, to) {
      const file = files.get(from);
      if (!file) return;
      if (from === path) put();
      files.delete(from);
      files.set(to, { ...file, state: stateOf(to, file.state.sliceDoc(), file.state.readOnly) });
      if (from === path) {
        path = null;
        this.show(to);
      }
    },
    /** Goes to a line, counted from 1. */
    goTo(name, line) {
      if (name !== path) return;
      const at = view.state.doc.line(Math.max(1, Math.min(line, view.state.doc.lines)));
      view.dispatch({
        selection: EditorSelection.cursor(at.from),
        effects: EditorView.scrollIntoView(at.from, { y: "center" }),
        annotations: outside.of(true),
      });
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

/** Shows two texts side by side or below each other; see `compare.js`, which is loaded when first needed. */
const compare = async (...all) => (await import("./compare.js")).compare(...all);

globalThis.codeflowEditor = { mount, compare };
dispatchEvent(new Event("codeflow-editor"));
