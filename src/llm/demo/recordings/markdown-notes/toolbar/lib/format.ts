/** A change of a text: what stands between two places, and what is selected then. */
export interface Edit {
  start: number;
  end: number;
  text: string;
  selection: [start: number, end: number];
}

/** Puts marks around the selection, or takes them away again. */
export function surround(value: string, start: number, end: number, mark: string): Edit {
  const size = mark.length;
  const marked = value.slice(start - size, start) === mark && value.slice(end, end + size) === mark;
  // A star beside another is half of bold, not italic.
  const half = size === 1 && value[start - 2] === mark && value[start - 3] !== mark;
  const inner = value.slice(start, end);
  if (marked && !half) {
    return { start: start - size, end: end + size, text: inner, selection: [start - size, end - size] };
  }
  return { start, end, text: `${mark}${inner}${mark}`, selection: [start + size, end + size] };
}

/** Begins every selected line with a prefix, or takes it away when all have it. */
export function prefixLines(value: string, start: number, end: number, prefix: string): Edit {
  const from = value.lastIndexOf("\n", start - 1) + 1;
  const lineEnd = value.indexOf("\n", end);
  const to = lineEnd === -1 ? value.length : lineEnd;
  const lines = value.slice(from, to).split("\n");
  const all = lines.every((line) => line.startsWith(prefix));
  const text = lines.map((line) => (all ? line.slice(prefix.length) : `${prefix}${line}`)).join("\n");
  // A caret stays one; lines stay selected as a whole.
  const moved = Math.max(from, start + (all ? -prefix.length : prefix.length));
  return { start: from, end: to, text, selection: start === end ? [moved, moved] : [from, from + text.length] };
}

/** Makes the selection a link, and selects its address. */
export function link(value: string, start: number, end: number): Edit {
  const label = value.slice(start, end) || "text";
  const address = "https://";
  const at = start + label.length + 3;
  return { start, end, text: `[${label}](${address})`, selection: [at, at + address.length] };
}

/** Carries an edit out as if it was typed, so that it can be undone like any other. */
export function applyEdit(field: HTMLTextAreaElement, edit: Edit) {
  field.focus();
  field.setSelectionRange(edit.start, edit.end);
  document.execCommand("insertText", false, edit.text);
  field.setSelectionRange(...edit.selection);
}
