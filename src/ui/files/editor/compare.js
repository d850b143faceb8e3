// Two texts compared: beside each other, or as one text with what was removed above what was added. The second can be edited where the
// two are to be merged.
import { history, historyKeymap, defaultKeymap } from "@codemirror/commands";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { language } from "./language.js";
import { look } from "./look.js";

/** `names` are what assistive technology calls the two; `merges` lets the second one be edited. */
export function compare(host, path, [before, after], names, unified, merges) {
  const side = (at, fixed) => [
    lineNumbers(),
    look,
    language(path),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": names[at], dir: "ltr", spellcheck: "false" }),
    fixed ? [EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.contentAttributes.of({ tabindex: "0", role: "textbox", "aria-readonly": "true" })]
      : [history(), keymap.of([...defaultKeymap, ...historyKeymap])],
  ];
  host.replaceChildren();
  const collapse = merges ? undefined : { margin: 3, minSize: 6 };
  if (unified) {
    const view = new EditorView({
      parent: host,
      doc: after,
      extensions: [side(1, !merges), unifiedMergeView({ original: before, mergeControls: merges, collapseUnchanged: collapse })],
    });
    return { text: () => view.state.sliceDoc(), destroy: () => view.destroy() };
  }
  const view = new MergeView({
    parent: host,
    a: { doc: before, extensions: side(0, true) },
    b: { doc: after, extensions: side(1, !merges) },
    revertControls: merges ? "a-to-b" : undefined,
    collapseUnchanged: collapse,
  });
  return { text: () => view.b.state.sliceDoc(), destroy: () => view.destroy() };
}
