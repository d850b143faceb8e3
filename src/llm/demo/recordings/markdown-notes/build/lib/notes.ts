export interface Note {
  id: string;
  text: string;
  /** Milliseconds since 1970; null for the example, which was never edited. */
  editedAt: number | null;
}

const WELCOME = `# Welcome

This is a note in **Markdown**. Write on the left, read on the right.

## What it can do

- **Bold**, *italic*, ~~crossed out~~ and \`code\`
- [Links](https://commonmark.org/help/) that open in a new tab
- Lists in lists
  1. with numbers
  2. or without
- [x] Tasks that are done
- [ ] and those that are not

> Your notes stay in this browser. Nobody else sees them.

\`\`\`ts
const words = note.text.split(/\\s+/).length;
\`\`\`

---

| Shortcut | What it does |
| --- | --- |
| \`# \` | A heading |
| \`- \` | A list |
`;

/** The notes of a first visit, also what the server renders. */
export const EXAMPLES: readonly Note[] = [
  { id: "welcome", text: WELCOME, editedAt: null },
  {
    id: "groceries",
    text: "# Groceries\n\n- [x] Bread\n- [ ] Tomatoes\n- [ ] Olive oil\n- [ ] Basil, if it looks *fresh*\n",
    editedAt: null,
  },
  {
    id: "books",
    text: "# Books to read\n\n1. **The Left Hand of Darkness**, Ursula K. Le Guin\n2. **Piranesi**, Susanna Clarke\n3. **The Summer Book**, Tove Jansson\n",
    editedAt: null,
  },
];

/** A line without the signs of Markdown. */
function plain(line: string): string {
  return line
    .replace(/^\s*(#{1,6}\s+|>\s?|[-*+]\s+(\[[ xX]\]\s+)?|\d+[.)]\s+)/, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[*_`~]/g, "")
    .trim();
}

/** The first line that says something, and the one after it. */
export function titleAndExcerpt(text: string): { title: string; excerpt: string } {
  const [title = "", excerpt = ""] = text.split("\n").map(plain).filter(Boolean);
  return { title: title || "New note", excerpt: excerpt || "Nothing else yet" };
}

export function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

/** Whether every word of the query is in the note. */
export function isFound(note: Note, query: string): boolean {
  const text = note.text.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
