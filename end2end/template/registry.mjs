// A registry as shadcn's CLI asks for it, with what is in `stat.json` as its only component.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const stat = JSON.parse(readFileSync(new URL("stat.json", import.meta.url), "utf8"));
const colours = {
  inlineColors: { light: {}, dark: {} },
  cssVars: { light: {}, dark: {} },
  cssVarsV4: { light: {}, dark: {} },
  inlineColorsTemplate: "",
  cssVarsTemplate: "",
};

createServer((request, response) => {
  const path = request.url.replace(/^\/r\//, "");
  const found = path === "index.json" ? [stat] : path.startsWith("colors/") ? colours : path.endsWith("/stat.json") ? stat : null;
  response.writeHead(found ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(found ?? { error: "not found" }));
}).listen(8080);
