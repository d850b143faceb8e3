//! Listeners: neither silent clients, nor clients that never finish their headers, nor too many
//! clients lock others out permanently.

use std::time::Duration;

use codeflow::config::Connections;
use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::support::{Host, Model, Server, data_dir, until};

/// Opens a connection and completes one request on it.
async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://"))
        .await
        .unwrap()
}

async fn ask(stream: &mut TcpStream) {
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    assert!(
        answer[..length].starts_with(b"HTTP/1.1 "),
        "{}",
        String::from_utf8_lossy(&answer[..length])
    );
}

#[tokio::test]
async fn a_client_that_sends_nothing_or_never_finishes_its_headers_is_disconnected() {
    let data = data_dir();
    let model = Model::start([]).await;
    let server = Server::start_and(
        data.path(),
        &model,
        &[("HTTP_HEADER_SECONDS", "6"), ("HTTP_MAX_CONNECTIONS", "2")],
    );
    let mut slow = Vec::new();
    for begun in ["", "GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: "] {
        let mut stream = connect(&server.url()).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // The two have all the room there is, until they are disconnected.
    assert_eq!(server.get("/healthz").await.status(), 200);
    for mut stream in slow {
        let mut answer = Vec::new();
        // Reset or closed: it ends.
        let _ = stream.read_to_end(&mut answer).await;
    }
    assert!(
        server.log().contains("HTTP_MAX_CONNECTIONS"),
        "{}",
        server.log()
    );
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_one_to_end_and_a_web_socket_counts() {
    let host = Host::start_with(|settings| {
        settings.connections = Connections {
            max: 2,
            header_timeout: Duration::from_secs(600),
        };
    })
    .await;
    let url = host.host.url();
    let made: serde_json::Value = {
        let request = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        let request = request
            .post(format!("{url}/sandboxes"))
            .header("x-api-key", host.host.key());
        request
            .json(&serde_json::json!({ "templateID": "nextjs", "timeout": 300 }))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let id = made["sandboxID"].as_str().unwrap().to_owned();
    let (mut socket, _) = until("the app answers", async || {
        let mut request = url.replace("http", "ws").into_client_request().unwrap();
        let name = format!("3000-{id}.{}", host.host.domain());
        request.headers_mut().insert("host", name.parse().unwrap());
        tokio_tungstenite::connect_async(request).await.ok()
    })
    .await;
    let mut first = connect(&url).await;
    ask(&mut first).await;
    let mut third = connect(&url).await;
    third
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    // Whatever would have been answered was sent before these.
    for _ in 0..20 {
        ask(&mut first).await;
        socket.send(Message::text("on")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("on"));
    }
    assert_eq!(
        third.try_read(&mut [0; 16]).unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    drop(socket);
    let mut answer = [0; 16];
    assert!(third.read(&mut answer).await.unwrap() > 0);
    host.stop().await;
}
