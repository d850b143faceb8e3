//! Servers that are programs: each runs in the project's sandbox, and its standard input and output
//! are a stream here.

use std::collections::HashMap;

use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

use crate::{
    agent::app::path::HOME,
    config::McpSecrets,
    sandbox::{Sandbox, SandboxError},
};

/// How many bytes wait in each direction.
const BUFFER: usize = 64 << 10;

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
            while let Some(Ok(bytes)) = output.next().await {
                if received.write_all(&bytes).await.is_err() {
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
