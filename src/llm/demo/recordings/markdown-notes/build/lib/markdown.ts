/** A small Markdown: its text becomes data, which `components/markdown.tsx` shows. HTML in it stays text. */

export type Inline =
  | { type: "text"; text: string }
  | { type: "code"; text: string }
  | { type: "strong" | "em" | "del"; content: Inline[] }
  | { type: "link"; href: string; content: Inline[] };

export interface ListItem {
  /** Null when the item is not a task. */
  done: boolean | null;
  content: Inline[];
  blocks: Block[];
}

export type Block =
  | { type: "heading"; level: number; content: Inline[] }
  | { type: "paragraph"; content: Inline[] }
  | { type: "quote"; blocks: Block[] }
  | { type: "code"; language: string; text: string }
  | { type: "list"; start: number | null; items: ListItem[] }
  | { type: "table"; head: Inline[][]; rows: Inline[][][] }
  | { type: "rule" };

const FENCE = /^\s*(```|~~~)\s*(\S*)/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^\s*>\s?/;
const ITEM = /^(\s*)([-*+]|(\d{1,9})[.)])\s+(.*)$/;
const TABLE_LINE = /^\s*\|?[\s:|-]*-[\s:|-]*$/;

const INLINE =
  /(?<code>`+)(?<codeText>.+?)\k<code>|\[(?<label>[^\]]+)\]\((?<href>[^\s)]+)\)|(?<url>https?:\/\/[^\s<>)]+[^\s<>).,;:!?'"])|\*\*(?=\S)(?<stars>.+?\S?)\*\*|(?<![\p{L}\p{N}_])__(?=\S)(?<lines>.+?\S?)__(?![\p{L}\p{N}_])|~~(?<del>.+?)~~|(?<![\p{L}\p{N}_])(?<em>[*_])(?=\S)(?<emText>.+?)\k<em>(?![\p{L}\p{N}_])|\\(?<escaped>[\\`*_{}[\]()#+.!~>|-])/u;

/** Addresses that a link may lead to: never `javascript:` and the like. */
function isSafe(href: string): boolean {
  return /^(https?:|mailto:|#|\/(?!\/))/i.test(href);
}

/** Without `links` there are none in it: it is a link's own label. */
export function parseInline(text: string, links = true): Inline[] {
  const content: Inline[] = [];
  let rest = text;
  while (rest !== "") {
    const match = INLINE.exec(rest);
    if (!match?.groups) break;
    if (match.index > 0) content.push({ type: "text", text: rest.slice(0, match.index) });
    content.push(inline(match[0], match.groups, links));
    rest = rest.slice(match.index + match[0].length);
  }
  if (rest !== "") content.push({ type: "text", text: rest });
  return content;
}

function inline(whole: string, groups: Record<string, string | undefined>, links: boolean): Inline {
  const { codeText, label, href, url, stars, lines, del, emText, escaped } = groups;
  const strong = stars ?? lines;
  if (codeText !== undefined) return { type: "code", text: codeText.trim() };
  if (label !== undefined && href !== undefined) {
    if (!links) return { type: "text", text: label };
    return isSafe(href) ? { type: "link", href, content: parseInline(label, false) } : { type: "text", text: whole };
  }
  if (url !== undefined && links) return { type: "link", href: url, content: [{ type: "text", text: url }] };
  if (strong !== undefined) return { type: "strong", content: parseInline(strong, links) };
  if (del !== undefined) return { type: "del", content: parseInline(del, links) };
  if (emText !== undefined) return { type: "em", content: parseInline(emText, links) };
  return { type: "text", text: escaped ?? whole };
}

export function parseMarkdown(text: string): Block[] {
  return parseLines(text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"));
}

function parseLines(lines: string[]): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  /** Takes lines from here on while they belong together. */
  const takeWhile = (belongs: (line: string, index: number) => boolean): string[] => {
    const start = at;
    while (at < lines.length && belongs(lines[at], at)) at += 1;
    return lines.slice(start, at);
  };

  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (line.trim() === "") {
      at += 1;
    } else if (fence) {
      at += 1;
      const code = takeWhile((other) => !other.trim().startsWith(fence[1]));
      at += 1;
      blocks.push({ type: "code", language: fence[2], text: code.join("\n") });
    } else if (heading) {
      at += 1;
      blocks.push({ type: "heading", level: heading[1].length, content: parseInline(heading[2]) });
    } else if (RULE.test(line)) {
      at += 1;
      blocks.push({ type: "rule" });
    } else if (QUOTE.test(line)) {
      const quoted = takeWhile((other) => QUOTE.test(other));
      blocks.push({ type: "quote", blocks: parseLines(quoted.map((other) => other.replace(QUOTE, ""))) });
    } else if (ITEM.test(line)) {
      const start = at;
      const indent = indentOf(line);
      blocks.push(
        list(takeWhile((other, index) => index === start || ITEM.test(other) || (other.trim() !== "" && indentOf(other) > indent))),
      );
    } else if (startsTable(lines, at)) {
      const [head, , ...rows] = takeWhile((other) => other.includes("|")).map(cells);
      blocks.push({ type: "table", head, rows });
    } else {
      const start = at;
      const paragraph = takeWhile((other, index) => index === start || continuesParagraph(other));
      blocks.push({ type: "paragraph", content: parseInline(paragraph.map((other) => other.trim()).join("\n")) });
    }
  }
  return blocks;
}

/** A list of lines that begin with an item; deeper lines belong to the item before them. */
function list(lines: string[]): Block {
  const first = ITEM.exec(lines[0]);
  const indent = indentOf(lines[0]);
  const items: { text: string; inner: string[] }[] = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    const last = items.at(-1);
    if (item && (!last || indentOf(line) <= indent + 1)) items.push({ text: item[4], inner: [] });
    else last?.inner.push(line);
  }
  return {
    type: "list",
    start: first?.[3] === undefined ? null : Number(first[3]),
    items: items.map(({ text, inner }) => {
      const task = /^\[([ xX])\]\s+(.*)$/.exec(text);
      return {
        done: task ? task[1] !== " " : null,
        content: parseInline(task ? task[2] : text),
        blocks: parseLines(inner),
      };
    }),
  };
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function startsTable(lines: string[], at: number): boolean {
  const below = lines[at + 1];
  return lines[at].includes("|") && below !== undefined && below.includes("|") && TABLE_LINE.test(below);
}

function cells(line: string): Inline[][] {
  // A bar that is code, or is escaped, ends no cell.
  const masked = line.trim().replace(/`[^`]*`|\\\|/g, (kept) => kept.replace(/\\?\|/g, "\0"));
  const inner = masked.replace(/^\||\|$/g, "");
  return inner.split("|").map((cell) => parseInline(cell.trim().replaceAll("\0", "|")));
}

function continuesParagraph(line: string): boolean {
  return line.trim() !== "" && ![FENCE, HEADING, RULE, QUOTE, ITEM].some((start) => start.test(line));
}
