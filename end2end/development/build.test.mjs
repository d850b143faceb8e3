// script/build builds when something that goes in or came out is another, and only then. Its cargo is a pretended one, which counts, and so is its npm.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "../server.mjs";
import { after, test } from "../suite.mjs";

const checkout = mkdtempSync(join(tmpdir(), "codeflow-build-"));
const tools = join(checkout, "tools");
const target = join(checkout, "target");

after(() => rmSync(checkout, { recursive: true, force: true }));

function write(path, text, mode = 0o644) {
  mkdirSync(dirname(join(checkout, path)), { recursive: true });
  writeFileSync(join(checkout, path), text, { mode });
}

/** Runs script/build; whether it built. */
function builds(env = {}) {
  const count = () => readFileSync(join(checkout, "count"), "utf8").length;
  const before = count();
  execFileSync(join(checkout, "script/build"), {
    env: { ...process.env, CARGO_TARGET_DIR: target, CODEFLOW_TOOLS: tools, LEPTOS_SITE_ROOT: join(target, "site"), ...env },
    stdio: "pipe",
  });
  return count() > before;
}

test("a build whose inputs and outputs are as they were is skipped, and no other", () => {
  cpSync(join(root, "script"), join(checkout, "script"), { recursive: true });
  for (const path of [".cargo/config.toml", "Cargo.toml", "Cargo.lock", "build.rs", "migration/src/lib.rs", "package.json", "package-lock.json",
    "public/favicon.svg", "rust-toolchain.toml", "sandbox-templates/page.tsx", "src/lib.rs", "src/ui.rs", "style/tailwind.css", "count"]) {
    write(path, "");
  }
  const command = (name, script) => write(`tools/bin/${name}`, `#!/bin/sh\n${script}\n`, 0o755);
  command("cargo", `cd '${checkout}' && printf . >>count && mkdir -p target/release target/site/pkg && echo binary >target/release/codeflow &&
    echo page >target/site/pkg/codeflow.wasm`);
  command("cargo-leptos", "");
  // Bundles the editor and the terminal.
  command("npm", "");
  command("wasm-bindgen", "");
  command("rustc", "echo rustc 1.0");

  assert.equal(builds(), true, "nothing is there yet");
  assert.equal(builds(), false, "nothing has changed");
  utimesSync(join(checkout, "src/ui.rs"), 1, 1);
  assert.equal(builds(), false, "a file was only touched");
  assert.equal(builds({ LEPTOS_SITE_ADDR: "127.0.0.1:1", RUST_LOG: "debug" }), false, "only the settings of the server have changed");

  const changes = {
    "a file was edited": () => appendFileSync(join(checkout, "src/lib.rs"), "// more\n"),
    "a file is there that was not": () => write("src/new.rs", ""),
    "a file was renamed": () => renameSync(join(checkout, "src/new.rs"), join(checkout, "src/newer.rs")),
    "a file is gone": () => rmSync(join(checkout, "src/newer.rs")),
    "the lock file was edited": () => appendFileSync(join(checkout, "Cargo.lock"), "# more\n"),
    "the compiler is another": () => command("rustc", "echo rustc 1.1"),
    "a tool is another": () => command("wasm-bindgen", "echo another"),
    "the binary is gone": () => rmSync(join(target, "release/codeflow")),
    "the binary is another": () => writeFileSync(join(target, "release/codeflow"), "of another build"),
    "a page's file is gone": () => rmSync(join(target, "site/pkg/codeflow.wasm")),
  };
  for (const [what, change] of Object.entries(changes)) {
    change();
    assert.equal(builds(), true, what);
    assert.equal(builds(), false, `${what}, and was built`);
  }
  assert.equal(builds({ RUSTFLAGS: "-Copt-level=1" }), true, "the compiler's flags are others");
});

test("a build that fails is not taken for done", () => {
  write("tools/bin/cargo", "#!/bin/sh\nexit 1\n", 0o755);
  for (let time = 0; time < 2; time++) assert.throws(() => builds());
});
