//! The server as a process: what it is started with.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

/// What every server of these tests is started with.
pub fn variables(data: &Path) -> [(&'static str, &str); 4] {
    [
        ("CODEFLOW_DATA_DIR", data.to_str().unwrap()),
        ("LEPTOS_SITE_ADDR", "127.0.0.1:0"),
        ("SANDBOX_POOL_SIZE", "0"),
        ("CHROMIUM_PATH", "off"),
    ]
}

pub fn spawn(data: &Path, env: &[(&str, &str)]) -> Child {
    run(
        Command::new(env!("CARGO_BIN_EXE_codeflow")).arg("serve"),
        data,
        env,
    )
}

/// Runs a command that becomes a server.
pub fn run(command: &mut Command, data: &Path, env: &[(&str, &str)]) -> Child {
    let kept = ["PATH", "HOME", "LANG", "RUST_LOG"].into_iter();
    let kept = kept.filter_map(|name| Some((name, std::env::var_os(name)?)));
    command
        .env_clear()
        .envs(kept)
        .envs(variables(data))
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
