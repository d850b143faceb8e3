//! Real commands for the scripted service, run as E2B's envd runs them: a command has ended when
//! nothing holds its output any more, and a signal reaches one process alone.

use std::{collections::HashMap, process::Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::TcpStream,
    process::Command,
};

use super::{end_of_stream, message, write_chunk};

#[derive(Deserialize)]
struct Start {
    process: Process,
}

#[derive(Deserialize)]
struct Process {
    cmd: String,
    args: Vec<String>,
    envs: HashMap<String, String>,
    cwd: String,
}

/// Runs the command of this request and streams its start, its output and its end.
pub async fn start(stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    let Start { process } = serde_json::from_slice(&body[5..])?;
    let mut child = Command::new(process.cmd)
        .args(process.args)
        .envs(process.envs)
        .current_dir(process.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = child.id().unwrap();
    write_chunk(
        stream,
        &message(json!({ "event": { "start": { "pid": pid } } })),
    )
    .await?;
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    while stdout.is_some() || stderr.is_some() {
        let data = tokio::select! {
            piece = next(&mut stdout) => json!({ "stdout": piece }),
            piece = next(&mut stderr) => json!({ "stderr": piece }),
        };
        write_chunk(stream, &message(json!({ "event": { "data": data } }))).await?;
    }
    let end = match child.wait().await?.code() {
        Some(0) => json!({ "exited": true, "status": "exit status 0" }),
        Some(code) => json!({ "exited": true, "exitCode": code }),
        None => json!({ "exitCode": -1, "status": "signal: killed" }),
    };
    write_chunk(stream, &message(json!({ "event": { "end": end } }))).await?;
    write_chunk(stream, &end_of_stream(json!({}))).await
}

/// What comes next of an output, in Base64; of one that has ended, nothing ever.
async fn next(output: &mut Option<impl AsyncRead + Unpin>) -> Option<String> {
    let Some(reader) = output else {
        return std::future::pending().await;
    };
    let mut piece = [0; 4096];
    let length = reader.read(&mut piece).await.unwrap_or(0);
    if length == 0 {
        *output = None;
        return None;
    }
    Some(STANDARD.encode(&piece[..length]))
}

/// Sends the signal of this request to its process.
pub fn signal(body: &[u8]) {
    let request: Value = serde_json::from_slice(body).unwrap();
    let pid = request["process"]["pid"].as_i64().unwrap();
    let signal = match request["signal"].as_str() {
        Some("SIGNAL_SIGTERM") => Signal::SIGTERM,
        _ => Signal::SIGKILL,
    };
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}
