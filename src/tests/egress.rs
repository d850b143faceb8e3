//! The way out of a sandbox: closed, but for what is allowed, and never to a private address.

use std::{process::Command, time::Duration};

use codeflow::config::sandbox_host::EgressRule;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{ControlPlane, Host, options, run};

#[tokio::test]
async fn only_allowed_names_are_reached_and_never_at_a_private_address() {
    // A server on this machine that nobody inside may reach, whatever the list says.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host::start_with(|settings| {
        settings.egress_allow = [("localhost", port), ("127.0.0.1", port), ("localhost", 80)]
            .map(|(host, port)| EgressRule {
                host: host.to_owned(),
                port,
            })
            .to_vec();
    })
    .await;
    let sandbox = host.create().await;
    let options = options();
    // Spoken to the proxy by hand, so that no client's rules about proxies come between.
    let ask = async |request: &str| {
        let command = format!(
            "exec 3<>/dev/tcp/127.0.0.1/3128; printf '{request}\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n' >&3; cat <&3"
        );
        String::from_utf8(sandbox.run(&command, &options).await.unwrap().stdout).unwrap()
    };
    let refused = ask("CONNECT example.com:443 HTTP/1.1").await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(refused.contains("SANDBOX_EGRESS_ALLOW"), "{refused}");
    for spelled in [
        format!("CONNECT localhost:{port}"),
        format!("CONNECT 127.0.0.1:{port}"),
        "GET http://localhost/".to_owned(),
    ] {
        let private = ask(&format!("{spelled} HTTP/1.1")).await;
        assert!(private.starts_with("HTTP/1.1 403"), "{spelled}: {private}");
        assert!(private.contains("private"), "{spelled}: {private}");
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(50), listener.accept())
            .await
            .is_err(),
        "somebody connected"
    );

    // Refusals can be read inside, and on the host.
    let report = ask("GET / HTTP/1.1").await;
    assert!(
        report.contains("4 connections refused") && report.contains("example.com:443 was refused"),
        "{report}"
    );
    let logs = host
        .api(
            reqwest::Method::GET,
            &format!("/v2/sandboxes/{}/logs", sandbox.id()),
        )
        .send()
        .await
        .unwrap();
    assert!(
        logs.text()
            .await
            .unwrap()
            .contains("example.com:443 was refused")
    );

    // Without the proxy there is no way at all.
    let direct = sandbox
        .run("exec 3<>/dev/tcp/1.1.1.1/443", &options)
        .await
        .unwrap();
    assert_ne!(direct.exit_code, 0);
    host.stop().await;
}

/// A public address on this machine (RFC 5737), for as long as this is there.
struct PublicAddress;

const PUBLIC: &str = "192.0.2.77";

impl PublicAddress {
    fn new() -> Self {
        Self::ip("add");
        Self
    }

    fn ip(what: &str) {
        let done = Command::new("ip")
            .args(["addr", what, &format!("{PUBLIC}/32"), "dev", "lo"])
            .output();
        assert!(done.is_ok(), "the tests need ip (iproute2): {done:?}");
    }
}

impl Drop for PublicAddress {
    fn drop(&mut self) {
        Self::ip("del");
    }
}

/// Asks the proxy for a connection, then says TLS or plain words on it, and prints what comes back.
const CLIENT: &str = r#"
const net = require("node:net"), tls = require("node:tls");
const [target, says, ...words] = process.argv.slice(2);
const socket = net.connect(3128, "127.0.0.1");
const show = (stream) => {
  stream.on("data", (data) => process.stdout.write(data.toString("latin1")));
  stream.on("error", (error) => console.log(error.code));
  stream.on("close", () => process.exit(0));
};
socket.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`);
socket.once("data", (answer) => {
  if (!answer.toString().startsWith("HTTP/1.1 200")) {
    console.log(answer.toString());
    process.exit(1);
  }
  if (says === "tls") {
    show(tls.connect({ socket, rejectUnauthorized: false, servername: words[0] }));
  } else {
    show(socket);
    socket.write(words.join(" ").replaceAll("\\r\\n", "\r\n"));
  }
});
"#;

#[tokio::test]
async fn only_traffic_that_names_the_allowed_host_passes() {
    let _address = PublicAddress::new();
    let listen = async |port: u16| tokio::net::TcpListener::bind((PUBLIC, port)).await.unwrap();
    let (tls, http) = (listen(0).await, listen(80).await);
    let port = tls.local_addr().unwrap().port();
    let host = Host::start_with(|settings| {
        settings.egress_allow = [port, 80]
            .map(|port| EgressRule {
                host: PUBLIC.to_owned(),
                port,
            })
            .to_vec();
    })
    .await;
    let sandbox = host.create().await;
    sandbox
        .write_file("/home/user/client.cjs", CLIENT)
        .await
        .unwrap();
    let say = async |what: &str| {
        let output = sandbox
            .run(&format!("node client.cjs {what}"), &options())
            .await
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // What a server on this machine gets of one connection, before it hangs up; and its answer.
    let serve = async |listener: &tokio::net::TcpListener, answer: &str| {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = vec![0; 4096];
        let read = stream.read(&mut got).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        got.truncate(read);
        got
    };

    // A ClientHello without a server's name, as it is said to an address, gets through whole; the
    // server hangs up.
    let unnamed = format!("{PUBLIC}:{port} tls");
    let (said, got) = tokio::join!(say(&unnamed), serve(&tls, "no"));
    assert_eq!((got[0], got[5]), (22, 1), "{said}");

    // With another's name it does not, nor does what is not TLS: the server gets nothing.
    for (what, why) in [
        (
            format!("{PUBLIC}:{port} tls evil.example"),
            "it asks for the server evil.example",
        ),
        (
            format!("{PUBLIC}:{port} plain 'GET / HTTP/1.1\\r\\nhost: {PUBLIC}\\r\\n\\r\\n'"),
            "not TLS",
        ),
    ] {
        let (said, got) = tokio::join!(say(&what), serve(&tls, ""));
        assert_eq!(got, b"", "{what}: {said}");
        let report = run(&sandbox, "curl -s http://127.0.0.1:3128/").await.1;
        let last = report.lines().last().unwrap();
        assert!(
            last.contains(&format!("{PUBLIC}:{port} was refused")) && last.contains(why),
            "{last}"
        );
    }

    // Nor is a plain request forwarded to a port where TLS is spoken: nobody is even called.
    let said = run(&sandbox, &format!("curl -s http://{PUBLIC}:{port}/"))
        .await
        .1;
    assert!(
        said.contains(&format!("{PUBLIC}:{port} was refused")) && said.contains("not TLS"),
        "{said}"
    );
    let called = tokio::time::timeout(Duration::from_millis(50), tls.accept()).await;
    assert!(called.is_err(), "somebody connected");

    // Plain HTTP passes at its own port, in both of a proxy's ways, when its Host is the server's.
    let get = |name: &str| {
        format!("GET /there HTTP/1.1\\r\\nhost: {name}\\r\\nconnection: close\\r\\n\\r\\n")
    };
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    for ask in [
        format!("node client.cjs {PUBLIC}:80 plain '{}'", get(PUBLIC)),
        format!("curl -s http://{PUBLIC}/there"),
    ] {
        let serving = async {
            // A tunnel's first connection is not used.
            loop {
                let got = serve(&http, answer).await;
                if !got.is_empty() {
                    return String::from_utf8(got).unwrap();
                }
            }
        };
        let (said, got) = tokio::join!(run(&sandbox, &ask), serving);
        assert!(said.1.ends_with("hello"), "{ask}: {said:?}");
        assert!(
            got.starts_with("GET /there HTTP/1.1\r\n")
                && got.contains(&format!("host: {PUBLIC}\r\n")),
            "{got}"
        );
    }
    for ask in [
        format!(
            "node client.cjs {PUBLIC}:80 plain '{}'",
            get("evil.example")
        ),
        format!("curl -s -H 'Host: evil.example' http://{PUBLIC}/there"),
        // The second request on a connection is looked at as the first.
        format!(
            "node client.cjs {PUBLIC}:80 plain '{}'",
            get("evil.example").replace("close", "keep-alive") + &get("evil.example")
        ),
    ] {
        let (said, got) = tokio::join!(run(&sandbox, &ask), serve(&http, ""));
        assert!(
            said.1.contains("evil.example") && said.1.contains("was refused"),
            "{ask}: {said:?}"
        );
        assert_eq!(got, b"", "{ask}");
    }
    host.stop().await;
}
