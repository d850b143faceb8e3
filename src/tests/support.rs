//! Shared parts of the tests: a data folder with a small template, the real server, its feed, a
//! scripted model, a sandbox host, a scripted E2B service, a scripted Unsplash, and an S3 service.

mod collector;
pub mod e2b;
mod feed;
mod host;
mod host_process;
mod issuer;
mod mail_server;
mod mcp_server;
mod model;
mod nobody;
mod ports;
mod postgres;
mod restate;
pub mod s3;
pub mod secrets;
mod server;
mod template;
mod terminal;
mod unsplash;
mod wire;

use std::{
    io::Cursor,
    process::Command,
    time::{Duration, Instant},
};

pub use collector::{Collector, Span};
pub use feed::{Feed, FeedEnd};
pub use host::{ControlPlane, Host, options, run, settings, traces};
pub use host_process::HostProcess;
use image::{ImageFormat, Rgb, RgbImage};
pub use issuer::Issuer;
pub use mail_server::MailServer;
pub use mcp_server::{McpServer, Script as McpScript, tools as mcp_tools_of};
pub use model::{LOOK, Model, NAMING, Reply, VISION, Wire, chunk};
pub use nobody::{NOBODY, as_nobody, copy_program};
pub use postgres::Postgres;
pub use restate::{Balancer, Restate, free_port};
pub use s3::S3;
pub use server::Server;
pub use template::data_dir;
pub use terminal::Terminal;
pub use unsplash::{Photos, Unsplash};
pub use wire::{begin, stream, token};

/// The timeout of everything here, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `check` returns something, and returns it.
pub async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A small picture, as a PNG file.
pub fn picture(red: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(30, 20, Rgb([red, 0, 0]))
        .write_to(&mut bytes, ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// A field of a process's memory, such as `VmRSS` or its peak `VmHWM`, in bytes
/// (proc_pid_status(5)).
pub fn memory_of(pid: impl std::fmt::Display, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap();
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A shell with its own mounts; append the command to run.
pub fn in_own_mounts() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command
}

/// An HTTP client that follows no redirects and uses no proxy.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}
