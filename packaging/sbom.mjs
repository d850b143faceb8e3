// node packaging/sbom.mjs <version>: what the program is made of, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). The crates that are
// linked into it or build it, the npm packages within the page's scripts and within the check of apps, and those that the apps' template installs on the server.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const version = process.argv[2];
const byRef = (one, other) => (one["bom-ref"] ?? one.ref) < (other["bom-ref"] ?? other.ref) ? -1 : 1;

function crates() {
  const triple = execFileSync("rustc", ["-vV"], { encoding: "utf8" }).match(/^host: (.*)$/m)[1];
  const asked = ["metadata", "--locked", "--format-version", "1", "--features", "ssr", "--filter-platform", triple];
  const { packages, resolve } = JSON.parse(execFileSync("cargo", asked, { encoding: "utf8", maxBuffer: 1 << 28 }));
  const checksums = new Map(
    [...readFileSync("Cargo.lock", "utf8").matchAll(/^name = "(.+)"\nversion = "(.+)"\nsource = .*\nchecksum = "(.+)"$/gm)].map(
      ([, name, version, checksum]) => [`${name}@${version}`, checksum],
    ),
  );
  const byId = new Map(packages.map((found) => [found.id, found]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const ref = (id) => `pkg:cargo/${byId.get(id).name}@${byId.get(id).version}`;
  const edges = new Map();
  const waiting = [resolve.root];
  for (let id = waiting.pop(); id; id = waiting.pop()) {
    if (edges.has(id)) continue;
    // What only tests need is not in it.
    const needed = nodes.get(id).deps.filter((dep) => dep.dep_kinds.some(({ kind }) => kind !== "dev"));
    edges.set(id, needed.map((dep) => dep.pkg));
    waiting.push(...edges.get(id));
  }
  const components = [...edges.keys()].filter((id) => id !== resolve.root).map((id) => {
    const { name, version, license } = byId.get(id);
    const checksum = checksums.get(`${name}@${version}`);
    return {
      type: "library",
      "bom-ref": ref(id),
      name,
      version,
      purl: ref(id),
      ...(license && { licenses: [{ expression: license.replaceAll(/\s*\/\s*/g, " OR ") }] }),
      ...(checksum && { hashes: [{ alg: "SHA-256", content: checksum }] }),
      properties: [{ name: "codeflow:part", value: "program" }],
    };
  });
  const dependencies = [...edges].map(([id, needs]) => ({ ref: ref(id), dependsOn: [...new Set(needs.map(ref))].sort() }));
  return { components, dependencies, root: ref(resolve.root) };
}

// The packages of a lock file that those named `isRoot` in it need, and themselves.
function npm(folder, part, isRoot) {
  const { packages } = JSON.parse(readFileSync(`${folder}package-lock.json`, "utf8"));
  const own = packages[""];
  // As Node.js looks for it: beside the one that asks, then further up.
  const find = (name, from) => {
    for (let place = from; ; place = place.slice(0, Math.max(place.lastIndexOf("/node_modules/"), 0))) {
      const path = `${place && `${place}/`}node_modules/${name}`;
      if (packages[path]) return path;
      if (!place) return undefined;
    }
  };
  const found = new Set();
  const waiting = Object.keys({ ...own.dependencies, ...own.devDependencies }).filter(isRoot).map((name) => find(name, ""));
  for (let path = waiting.pop(); path; path = waiting.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    const { dependencies, optionalDependencies, peerDependencies } = packages[path];
    const needs = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    waiting.push(...needs.map((name) => find(name, path)).filter(Boolean));
  }
  return [...found].map((path) => {
    const { version, license, integrity } = packages[path];
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
    return {
      type: "library",
      "bom-ref": `${purl}#${part}:${path}`,
      name,
      version,
      purl,
      scope: part === "template" ? "optional" : "required",
      ...(license && { licenses: [{ expression: license }] }),
      ...(integrity?.startsWith("sha512-") && {
        hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex") }],
      }),
      properties: [{ name: "codeflow:part", value: part }],
    };
  });
}

const { components, dependencies, root } = crates();
components.push(
  ...npm("", "page", (name) => /^@(codemirror|lezer|xterm)\//.test(name)),
  ...npm("", "check", (name) => name === "axe-core"),
  ...npm("sandbox-templates/nextjs/", "template", () => true),
);
const bom = {
  bomFormat: "CycloneDX",
  specVersion: "1.6",
  version: 1,
  metadata: {
    timestamp: new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000).toISOString(),
    component: { type: "application", "bom-ref": root, name: "codeflow", version, purl: root, licenses: [{ expression: "MIT" }] },
  },
  components: components.sort(byRef),
  dependencies: dependencies.sort(byRef),
};
process.stdout.write(`${JSON.stringify(bom, null, 1)}\n`);
