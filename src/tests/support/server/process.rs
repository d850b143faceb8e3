//! The server as a process: how it is started, and which port it listens on, as the kernel tells it.

use std::{
    fs,
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
    let kept = ["PATH", "HOME", "LANG", "RUST_LOG"].into_iter();
    let kept = kept.filter_map(|name| Some((name, std::env::var_os(name)?)));
    Command::new(env!("CARGO_BIN_EXE_codeflow"))
        .arg("serve")
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

/// The port on which the process answers as the app, once it does. Its sandbox host listens too.
pub async fn ready_port(pid: u32, http: &reqwest::Client) -> Option<u16> {
    for port in listening_ports(pid) {
        let asked = http
            .get(format!("http://127.0.0.1:{port}/healthz"))
            .timeout(std::time::Duration::from_secs(2))
            .send();
        if let Ok(answer) = asked.await
            && answer.status() == 200
        {
            return Some(port);
        }
    }
    None
}

/// The TCP ports on which the process listens (proc_pid_net(5)).
fn listening_ports(pid: u32) -> Vec<u16> {
    const LISTEN: &str = "0A";
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (address, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let is_its = *state == LISTEN && sockets.iter().any(|socket| socket == inode);
            let (_, port) = address.split_once(':').filter(|_| is_its)?;
            u16::from_str_radix(port, 16).ok()
        })
        .collect()
}
