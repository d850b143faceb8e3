// Two texts compared: beside each other, or as one text with what was removed above what was added. The second can be edited where the
// two are to be merged.
import { history, historyKeymap, defaultKeymap } from "@codemirror/commands";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { language } from "./language.js";
import { look } from "./look.js";

/** The width of the window below which two texts don't fit beside each other, as the page has it. */
const NARROW = "(max-width: 900px)";

/**
 * `names` are what assistive technology calls the two. `merges` lets the second one be edited, which the host hears of by `change`, and
 * follows the window: nobody chooses the layout of what is merged, and what was typed stays.
 */
export function compare(host, path, texts, names, unified, merges) {
  let view = show(host, path, texts, names, unified, merges);
  if (!merges) return view;
  const narrow = matchMedia(NARROW);
  const follow = () => {
    const text = view.text();
    view.destroy();
    view = show(host, path, [texts[0], text], names, narrow.matches, merges);
  };
  narrow.addEventListener("change", follow);
  return {
    text: () => view.text(),
    destroy() {
      narrow.removeEventListener("change", follow);
      view.destroy();
    },
  };
}

/** A button that takes one of two texts for some lines. */
function choice(words, title) {
  const button = document.createElement("button");
  return Object.assign(button, { type: "button", className: "cm-choice", textContent: words, title, ariaLabel: title });
}

/** Those of one text. */
function chooser(kind, take) {
  const button = kind === "accept" ? choice("Mine", "Keep my lines") : choice("Theirs", "Take their lines");
  // The press must not move the cursor first.
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", take);
  return button;
}

/** That between two texts, which listen to the mouse alone. */
function taker() {
  const button = choice("→", "Take these lines");
  button.addEventListener("click", ({ detail }) => {
    if (detail === 0) button.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, cancelable: true }));
  });
  return button;
}

function show(host, path, [before, after], names, unified, merges) {
  const side = (at, fixed) => [
    lineNumbers(),
    look,
    language(path),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": names[at], dir: "ltr", spellcheck: "false" }),
    fixed ? [EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.contentAttributes.of({ tabindex: "0", role: "textbox", "aria-readonly": "true" })]
      : [
          history(),
          keymap.of([...defaultKeymap, ...historyKeymap]),
          EditorView.updateListener.of(({ docChanged }) => docChanged && host.dispatchEvent(new Event("change"))),
        ],
  ];
  host.replaceChildren();
  const collapse = merges ? undefined : { margin: 3, minSize: 6 };
  if (unified) {
    const view = new EditorView({
      parent: host,
      doc: after,
      extensions: [side(1, !merges), unifiedMergeView({ original: before, mergeControls: merges && chooser, collapseUnchanged: collapse })],
    });
    return { text: () => view.state.sliceDoc(), destroy: () => view.destroy() };
  }
  const view = new MergeView({
    parent: host,
    a: { doc: before, extensions: side(0, true) },
    b: { doc: after, extensions: side(1, !merges) },
    revertControls: merges ? "a-to-b" : undefined,
    renderRevertControl: taker,
    collapseUnchanged: collapse,
  });
  return { text: () => view.b.state.sliceDoc(), destroy: () => view.destroy() };
}
