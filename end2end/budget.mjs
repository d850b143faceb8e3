// node end2end/budget.mjs <what> <kB> <file> …: fails when the files are larger than their budget, as brotli hands them out.
import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";

const [what, budget, ...files] = process.argv.slice(2);
const all = files.map((file) => readFileSync(file));
const sum = (sizes) => sizes.reduce((sum, size) => sum + size, 0);
const kB = Math.ceil(sum(all.map((bytes) => brotliCompressSync(bytes).length)) / 1000);
console.log(`${what}: ${Math.round(sum(all.map((bytes) => bytes.length)) / 1000)} kB, ${kB} kB after brotli (budget: ${budget} kB)`);
if (files.length === 0 || kB > Number(budget)) {
  console.error(`${what}: over its budget. Make what few visitors need a part of its own that is fetched when it is needed, or drop a dependency.`);
  process.exitCode = 1;
}
