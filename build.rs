//! Makes every way of building give pages that come alive, and stops the build where it can't:
//! server and browser must agree on the flags and the name that `.cargo/config.toml` sets.

use std::{env, fs, path::Path};

/// What examines pages for barriers (`src/agent/check/axe.rs`), among the npm packages.
const AXE: &str = "node_modules/axe-core/axe.min.js";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LEPTOS_OUTPUT_NAME");
    println!("cargo::rustc-check-cfg=cfg(lazy_parts)");

    // Without it, pages ask for another file than the one that cargo-leptos writes.
    let output_name = env::var("LEPTOS_OUTPUT_NAME").unwrap_or_default();
    // Without it, the server writes other markup than the browser expects.
    let erases_components = env::var_os("CARGO_CFG_ERASE_COMPONENTS").is_some();
    if output_name != "codeflow" || !erases_components {
        println!(
            "cargo::error=this build's pages would never come alive, because .cargo/config.toml \
             was not read (LEPTOS_OUTPUT_NAME={output_name:?}, erase_components: \
             {erases_components}). Run cargo inside the checkout, and without RUSTFLAGS in the \
             environment or with `--cfg erase_components` in it."
        );
    }

    // `cargo leptos --split` moves `#[lazy]` functions into files of their own, and announces it by
    // this linker argument. Without the split, their imports would resolve to nothing in the
    // browser, so they are ordinary functions there. The server only names the files.
    let is_server = env::var_os("CARGO_FEATURE_SSR").is_some();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if is_server {
        embed_axe();
    }
    if is_server || flags.contains("--emit-relocs") {
        println!("cargo::rustc-cfg=lazy_parts");
    }
}

/// Puts the program where the server includes it.
fn embed_axe() {
    println!("cargo::rerun-if-changed={AXE}");
    let axe = fs::read(AXE).unwrap_or_else(|_| {
        println!(
            "cargo::warning={AXE} is missing, so apps are not checked for what keeps people from \
             using them. Run script/setup, which installs the npm packages, and build again."
        );
        Vec::new()
    });
    let folder = env::var_os("OUT_DIR").unwrap_or_default();
    if let Err(error) = fs::write(Path::new(&folder).join("axe.js"), axe) {
        println!("cargo::error=the build's own folder can't be written: {error}");
    }
}
