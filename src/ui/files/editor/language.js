// Detects a file's language by its name.
import { css } from "@codemirror/lang-css";
import { html } from "@codemirror/lang-html";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { markdown, markdownLanguage } from "@codemirror/lang-markdown";

const tsx = () => javascript({ typescript: true, jsx: true });
const known = {
  ts: () => javascript({ typescript: true }),
  mts: () => javascript({ typescript: true }),
  cts: () => javascript({ typescript: true }),
  tsx,
  js: () => javascript({ jsx: true }),
  mjs: () => javascript(),
  cjs: () => javascript(),
  jsx: () => javascript({ jsx: true }),
  css,
  scss: css,
  json,
  jsonc: json,
  webmanifest: json,
  md: () => markdown({ base: markdownLanguage, codeLanguages: inside }),
  mdx: () => markdown({ base: markdownLanguage, codeLanguages: inside }),
  html,
  htm: html,
  svg: html,
  xml: html,
};

/** The language of code in Markdown, by the fence's first word. */
const inside = (name) => {
  const spelt = { javascript: "js", typescript: "ts", sh: "", bash: "" };
  const key = spelt[name] ?? name;
  return key in known && key !== "md" ? known[key]().language : null;
};

/** The extension for a file; nothing for plain text. */
export function language(path) {
  const extension = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  return Object.hasOwn(known, extension) ? known[extension]() : [];
}
