//! Requests to a sandbox below the client's level: streams that are left unread, and connections
//! that break off.

use std::{io::Write, net::TcpStream};

use serde_json::json;

use super::{ControlPlane, http};

/// A sandbox's token.
pub async fn token(host: &impl ControlPlane, sandbox: &str) -> String {
    host.detail(sandbox).await["envdAccessToken"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The output of a command as it comes, over a connection of its own.
pub async fn stream(host: &impl ControlPlane, sandbox: &str, command: &str) -> reqwest::Response {
    let start = json!({ "process": { "cmd": "/bin/sh", "args": ["-c", command] } }).to_string();
    let frame = [
        &[0][..],
        &u32::try_from(start.len()).unwrap().to_be_bytes(),
        start.as_bytes(),
    ]
    .concat();
    let answer = http()
        .post(format!("{}/process.Process/Start", host.url()))
        .header("e2b-sandbox-id", sandbox)
        .header("e2b-sandbox-port", "49983")
        .header("x-access-token", token(host, sandbox).await)
        .header("content-type", "application/connect+json")
        .body(frame)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

/// A connection on which a request to a sandbox was begun: its head and, where `length` says more,
/// a part of its body.
pub fn begin(
    host: &impl ControlPlane,
    sandbox: &str,
    token: &str,
    target: &str,
    length: usize,
    part: &[u8],
) -> TcpStream {
    let mut connection = TcpStream::connect(host.url().strip_prefix("http://").unwrap()).unwrap();
    write!(
        connection,
        "{target} HTTP/1.1\r\nhost: x\r\ne2b-sandbox-id: {sandbox}\r\ne2b-sandbox-port: 49983\r\nx-access-token: {token}\r\n\
         content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n",
    )
    .unwrap();
    connection.write_all(part).unwrap();
    connection
}
