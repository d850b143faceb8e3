//! Servers that are programs: each runs in the project's sandbox, and its standard input and output
//! are a stream here. A project's server over HTTP is such a program too: the bridge to it.

use std::collections::HashMap;

use secrecy::ExposeSecret;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

use crate::{
    agent::app::path::HOME,
    config::{McpSecrets, McpUrl},
    sandbox::{Sandbox, SandboxError},
};

/// Speaks HTTP for a project's server. Requests from this process would come from the machine's own
/// network, and the sandbox's list of servers would not hold for them.
const BRIDGE: &str = include_str!("bridge.cjs");
/// The variable with its settings.
const BRIDGE_SETTINGS: &str = "MCP_BRIDGE";

/// The largest message that is read, in bytes.
pub const MAX_MESSAGE: usize = 4 << 20;
/// How many bytes wait in each direction.
const BUFFER: usize = 64 << 10;

/// Starts the bridge to a server over HTTP.
pub async fn start_bridge(
    sandbox: &Sandbox,
    server: &str,
    (url, headers): (&McpUrl, &McpSecrets),
) -> Result<DuplexStream, SandboxError> {
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| (&**name, value.expose_secret()));
    let headers: HashMap<&str, &str> = headers.collect();
    let settings = json!({ "url": url.0.as_str(), "headers": headers, "limit": MAX_MESSAGE });
    let env = vec![(BRIDGE_SETTINGS.to_owned(), settings.to_string().into())];
    let args = ["-e".to_owned(), BRIDGE.to_owned()];
    start(sandbox, server, ("node", &args, &env)).await
}

/// Starts the server's program in the app's folder. It ends with the returned stream. One that an
/// earlier process of ours left running is ended first.
pub async fn start(
    sandbox: &Sandbox,
    server: &str,
    (command, args, env): (&str, &[String], &McpSecrets),
) -> Result<DuplexStream, SandboxError> {
    let tag = format!("mcp-{server}");
    sandbox.end_shell(&tag).await?;
    let env = env.iter();
    let env = env.map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
    let env: HashMap<String, String> = env.collect();
    let mut output = sandbox.start_piped(&tag, command, args, &env, HOME).await?;
    let (ours, theirs) = duplex(BUFFER);
    let (mut sent, mut received) = split(ours);
    let sandbox = sandbox.clone();
    tokio::spawn(async move {
        let reading = async {
            let mut line = 0;
            while let Some(Ok(bytes)) = output.next().await {
                if !is_within(&mut line, &bytes) || received.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        };
        let writing = async {
            let mut buffer = vec![0; BUFFER];
            while let Ok(length @ 1..) = sent.read(&mut buffer).await {
                if sandbox.write_to(&tag, &buffer[..length]).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
        // If the sandbox is gone, so is the program.
        let _ = sandbox.end_shell(&tag).await;
    });
    Ok(theirs)
}

/// Whether no line is longer than a message may be; `line` is how long the last one is so far.
fn is_within(line: &mut usize, bytes: &[u8]) -> bool {
    bytes.split_inclusive(|byte| *byte == b'\n').all(|piece| {
        let length = *line + piece.len();
        *line = if piece.ends_with(b"\n") { 0 } else { length };
        length <= MAX_MESSAGE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_limited_however_it_comes_and_lines_together_are_not() {
        let piece = vec![b'a'; MAX_MESSAGE / 2];
        let (mut line, end) = (0, b"\n");
        for _ in 0..3 {
            assert!(is_within(&mut line, &piece));
            assert!(is_within(&mut line, end));
        }
        let lines = [&piece[..], end, &piece[..]].concat();
        assert!(is_within(&mut line, &lines));
        assert!(is_within(&mut line, &piece));
        assert!(!is_within(&mut line, end));
    }
}
