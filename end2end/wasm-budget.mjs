// node end2end/wasm-budget.mjs <file> <kB>: fails when the WebAssembly is larger than its budget, as brotli hands it out.
import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";

const [file, budget] = process.argv.slice(2);
const bytes = readFileSync(file);
const kB = Math.ceil(brotliCompressSync(bytes).length / 1000);
console.log(`wasm: ${Math.round(bytes.length / 1000)} kB, ${kB} kB after brotli (budget: ${budget} kB)`);
if (kB > Number(budget)) {
  console.error("The WebAssembly is over its budget. Make what few visitors need a #[lazy] part (src/ui/runs.rs), or drop a dependency.");
  process.exitCode = 1;
}
