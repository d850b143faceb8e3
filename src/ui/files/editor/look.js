// The look of code: every colour is a variable of the style sheet, so that only the style sheet defines themes.
import { syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tagHighlighter, tags } from "@lezer/highlight";
import { nonce } from "../../nonce.js";

// The classes of the server's highlighter, which the style sheet colours.
const scopes = tagHighlighter([
  { tag: tags.comment, class: "hl-comment" },
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], class: "hl-keyword" },
  { tag: [tags.string, tags.regexp, tags.attributeValue, tags.link, tags.url], class: "hl-string" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.color, tags.unit, tags.self], class: "hl-constant" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.macroName], class: "hl-variable hl-function" },
  { tag: [tags.typeName, tags.className, tags.namespace], class: "hl-support hl-type" },
  { tag: tags.tagName, class: "hl-entity hl-name hl-tag" },
  { tag: [tags.attributeName, tags.propertyName], class: "hl-entity hl-other hl-attribute-name" },
  { tag: [tags.operator, tags.punctuation], class: "hl-punctuation" },
  { tag: tags.heading, class: "hl-markup hl-heading" },
  { tag: tags.strong, class: "hl-markup hl-bold" },
  { tag: tags.emphasis, class: "hl-markup hl-italic" },
]);

const faint = (colour, part) => `color-mix(in oklab, var(${colour}) ${part}%, transparent)`;

const parts = EditorView.theme({
  "&": { height: "100%", color: "var(--foreground)", backgroundColor: "var(--card)", fontSize: "0.8125rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono, ui-monospace, monospace)", lineHeight: "1.55", overscrollBehavior: "contain" },
  ".cm-content": { caretColor: "var(--foreground)", padding: "0.5rem 0" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--foreground)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: faint("--brand", 24) },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--muted-foreground)", border: "none", paddingLeft: "0.25rem" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "2.25rem", padding: "0 0.5rem 0 0" },
  ".cm-foldGutter .cm-gutterElement": { cursor: "pointer", width: "1rem" },
  ".cm-activeLine": { backgroundColor: faint("--muted", 55) },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--foreground)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: faint("--brand", 22), outline: `1px solid ${faint("--brand", 45)}` },
  "&.cm-focused .cm-nonmatchingBracket": { backgroundColor: faint("--destructive", 22) },
  ".cm-selectionMatch": { backgroundColor: faint("--brand", 14) },
  ".cm-searchMatch": { backgroundColor: faint("--hl-constant", 28), borderRadius: "2px" },
  ".cm-searchMatch-selected": { backgroundColor: faint("--brand", 40) },
  ".cm-foldPlaceholder": { backgroundColor: "var(--muted)", border: "1px solid var(--border)", color: "var(--muted-foreground)", padding: "0 0.4em" },
  ".cm-panels": { backgroundColor: "var(--background)", color: "var(--foreground)", fontFamily: "var(--font-sans, sans-serif)" },
  ".cm-panels-top": { borderBottom: "1px solid var(--border)" },
  ".cm-panel.cm-search": { padding: "0.5rem 2rem 0.5rem 0.75rem", display: "flex", flexWrap: "wrap", alignItems: "center", gap: "0.375rem" },
  ".cm-panel.cm-search br": { flexBasis: "100%", height: 0, content: '""' },
  ".cm-panel.cm-search label": { display: "inline-flex", alignItems: "center", gap: "0.25rem", fontSize: "0.75rem", color: "var(--muted-foreground)" },
  ".cm-panel.cm-search [name=close]": { width: "1.5rem", height: "1.5rem", right: "0.375rem", top: "0.5rem", fontSize: "1rem", color: "var(--muted-foreground)" },
  ".cm-textfield": { backgroundColor: "var(--card)", border: "1px solid var(--border)", borderRadius: "0.375rem", padding: "0.2rem 0.5rem", fontSize: "0.8125rem", margin: 0 },
  ".cm-textfield:focus-visible, .cm-button:focus-visible": { outline: "2px solid var(--ring)", outlineOffset: "1px" },
  ".cm-button": {
    backgroundImage: "none", backgroundColor: "var(--card)", border: "1px solid var(--border)", borderRadius: "0.375rem", padding: "0.2rem 0.6rem",
    fontSize: "0.75rem", color: "var(--foreground)", margin: 0, textTransform: "capitalize", cursor: "pointer",
  },
  ".cm-button:active": { backgroundImage: "none", backgroundColor: "var(--accent)" },
  ".cm-tooltip": { backgroundColor: "var(--card)", border: "1px solid var(--border)", borderRadius: "0.5rem", boxShadow: "0 8px 24px rgb(0 0 0 / 0.16)", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--font-mono, ui-monospace, monospace)", fontSize: "0.75rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "0.2rem 0.6rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-foreground)" },
  // Comparisons.
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: faint("--destructive", 10) },
  "&.cm-merge-b .cm-changedLine, .cm-insertedLine": { backgroundColor: faint("--success", 10) },
  "&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText": { background: faint("--destructive", 18) },
  "&.cm-merge-b .cm-changedText": { background: faint("--success", 18) },
  ".cm-deletedChunk .cm-chunkButtons": { display: "flex", gap: "0.25rem" },
  ".cm-deletedChunk .cm-choice": {
    backgroundColor: "var(--card)", color: "var(--foreground)", border: "1px solid var(--border)", borderRadius: "0.375rem", margin: 0,
    padding: "0 0.5rem", fontFamily: "var(--font-sans, sans-serif)", fontSize: "0.75rem", lineHeight: "1.25rem",
  },
  ".cm-choice:focus-visible": { outline: "2px solid var(--ring)", outlineOffset: "1px" },
  ".cm-changeGutter": { width: "3px", paddingLeft: 0 },
  ".cm-collapsedLines": { color: "var(--muted-foreground)", background: "var(--muted)", padding: "0.25rem 0.75rem" },
});

// What is typed over a selection. Left to it, the browser would style the new text as the old one was, by an attribute that the page's
// policy refuses.
const overSelection = EditorView.domEventHandlers({
  beforeinput({ inputType, isComposing, data }, view) {
    const { from, to, empty } = view.state.selection.main;
    if (inputType !== "insertText" || isComposing || data === null || empty || view.state.readOnly) return false;
    const typed = () => view.state.update(view.state.replaceSelection(data), { userEvent: "input.type", scrollIntoView: true });
    const isHandled = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, data, typed));
    if (!isHandled) view.dispatch(typed());
    return true;
  },
});

export const look = [EditorView.cspNonce.of(nonce), parts, syntaxHighlighting(scopes), overSelection];
