import { useMemo, type ReactNode } from "react";
import { Check } from "lucide-react";

import { parseMarkdown, type Block, type Inline, type ListItem } from "@/lib/markdown";
import { cn } from "@/lib/utils";

const HEADINGS = [
  "mt-8 text-2xl font-semibold tracking-tight",
  "mt-7 border-b pb-1.5 text-xl font-semibold tracking-tight",
  "mt-6 text-lg font-semibold",
  "mt-5 font-semibold",
];

/** Markdown as React elements: what a note says can't become markup. */
export function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => parseMarkdown(text), [text]);
  return <div className="space-y-4 text-[0.9375rem] leading-relaxed wrap-anywhere [&>:first-child]:mt-0">{blocks.map(renderBlock)}</div>;
}

function renderBlock(block: Block, key: number): ReactNode {
  switch (block.type) {
    case "heading": {
      // The note's title is the page's second level.
      const Tag = `h${Math.min(6, block.level + 1)}` as "h2";
      return (
        <Tag key={key} className={HEADINGS[Math.min(block.level, HEADINGS.length) - 1]}>
          {block.content.map(renderInline)}
        </Tag>
      );
    }
    case "paragraph":
      return (
        <p key={key} className="whitespace-pre-line">
          {block.content.map(renderInline)}
        </p>
      );
    case "quote":
      return (
        <blockquote key={key} className="space-y-3 border-l-3 border-amber-500/70 pl-4 text-muted-foreground">
          {block.blocks.map(renderBlock)}
        </blockquote>
      );
    case "code":
      return (
        <pre key={key} tabIndex={0} className="overflow-x-auto rounded-lg border bg-muted/60 p-4 font-mono text-[0.8125rem] wrap-normal">
          <code>{block.text}</code>
        </pre>
      );
    case "list": {
      const items = block.items.map((item, index) => <Item key={index} item={item} />);
      return block.start === null ? (
        <ul key={key} className="list-disc space-y-1.5 pl-5 marker:text-muted-foreground">
          {items}
        </ul>
      ) : (
        <ol key={key} start={block.start} className="list-decimal space-y-1.5 pl-6 marker:text-muted-foreground">
          {items}
        </ol>
      );
    }
    case "table":
      return (
        <div key={key} className="overflow-x-auto rounded-lg border">
          <table className="w-full text-sm">
            <thead className="bg-muted/60">
              <tr>
                {block.head.map((cell, index) => (
                  <th key={index} scope="col" className="px-3 py-2 text-left font-medium">
                    {cell.map(renderInline)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index} className="border-t">
                  {row.map((cell, column) => (
                    <td key={column} className="px-3 py-2">
                      {cell.map(renderInline)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case "rule":
      return <hr key={key} className="my-6" />;
  }
}

function Item({ item }: { item: ListItem }) {
  const task = item.done !== null;
  return (
    <li className={cn(task && "relative list-none")}>
      {task && (
        <span
          className={cn(
            "absolute top-1 -left-5 grid size-4 place-items-center rounded border",
            item.done ? "border-primary bg-primary text-primary-foreground" : "border-muted-foreground/50",
          )}
        >
          {item.done && <Check aria-hidden className="size-3" strokeWidth={3} />}
          <span className="sr-only">{item.done ? "Done:" : "Open:"}</span>
        </span>
      )}
      <span className={cn(item.done && "text-muted-foreground line-through")}>{item.content.map(renderInline)}</span>
      {item.blocks.length > 0 && <div className="mt-1.5 space-y-1.5">{item.blocks.map(renderBlock)}</div>}
    </li>
  );
}

function renderInline(inline: Inline, key: number): ReactNode {
  switch (inline.type) {
    case "text":
      return inline.text;
    case "code":
      return (
        <code key={key} className="rounded bg-muted px-1.5 py-0.5 font-mono text-[0.85em]">
          {inline.text}
        </code>
      );
    case "strong":
      return <strong key={key}>{inline.content.map(renderInline)}</strong>;
    case "em":
      return <em key={key}>{inline.content.map(renderInline)}</em>;
    case "del":
      return <del key={key}>{inline.content.map(renderInline)}</del>;
    case "link":
      return (
        <a
          key={key}
          href={inline.href}
          target="_blank"
          rel="noreferrer"
          className="rounded-sm text-sky-700 underline underline-offset-3 outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50 dark:text-sky-400"
        >
          {inline.content.map(renderInline)}
        </a>
      );
  }
}
