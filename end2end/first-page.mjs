// node end2end/first-page.mjs <pkg>: the scripts and wasm that `/` loads, a file a line: the app's code with its loader, the part that attaches
// images, which is fetched as soon as the page lives, and the scripts in its head.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const pkg = process.argv[2];
const parts = JSON.parse(readFileSync(join(pkg, "__wasm_split_manifest.json"), "utf8"));
const code = ["codeflow.js", "codeflow.wasm", "__wasm_split.______________________.js", ...parts.image.map((part) => `${part}.wasm`)];
const head = ["boot.js", "components/popups.js", "conversation/follow.js"];
for (const file of [...code.map((file) => join(pkg, file)), ...head.map((file) => join("src/ui", file))]) console.log(file);
