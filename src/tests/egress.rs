//! Outgoing connections of a sandbox: refused unless allowed, and never to a private address.

use std::{fs, process::Command, time::Duration};

use codeflow::{config::sandbox_host::EgressRule, sandbox::Sandbox};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{ControlPlane, Host, HostProcess, data_dir, in_own_mounts, options, run};

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
    // Speaks to the proxy directly, so that no client's proxy rules interfere.
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

    // Without the proxy nothing can be reached.
    let direct = sandbox
        .run("exec 3<>/dev/tcp/1.1.1.1/443", &options)
        .await
        .unwrap();
    assert_ne!(direct.exit_code, 0);
    host.stop().await;
}

/// A public address on this machine (RFC 5737), for as long as this is there. Each test has its
/// own.
pub struct PublicAddress(pub &'static str);

impl PublicAddress {
    pub fn new(address: &'static str) -> Self {
        let new = Self(address);
        new.ip("add");
        new
    }

    fn ip(&self, what: &str) {
        let done = Command::new("ip")
            .args(["addr", what, &format!("{}/32", self.0), "dev", "lo"])
            .output();
        assert!(done.is_ok(), "the tests need ip (iproute2): {done:?}");
    }

    pub async fn listen(&self, port: u16) -> TcpListener {
        TcpListener::bind((self.0, port)).await.unwrap()
    }
}

impl Drop for PublicAddress {
    fn drop(&mut self) {
        self.ip("del");
    }
}

/// Asks the proxy for a connection, sends TLS, bytes or plain text on it, and prints the answer.
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
  } else if (says === "bytes") {
    show(socket);
    socket.write(Buffer.from(words[0], "hex"));
  } else {
    show(socket);
    socket.write(words.join(" ").replaceAll("\\r\\n", "\r\n"));
  }
});
"#;

/// What a server on this machine receives on one connection before it hangs up, and its answer.
async fn serve(listener: &TcpListener, answer: &str) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut got = vec![0; 4096];
    let read = stream.read(&mut got).await.unwrap();
    stream.write_all(answer.as_bytes()).await.unwrap();
    got.truncate(read);
    got
}

/// Copies the client into the sandbox.
pub async fn give_client(sandbox: &Sandbox) {
    sandbox
        .write_file("/home/user/client.cjs", CLIENT)
        .await
        .unwrap();
}

/// The client connects to the server by this name and sends something; the server receives nothing,
/// and the proxy reports why.
pub async fn hello_is_refused(
    sandbox: &Sandbox,
    server: &TcpListener,
    name: &str,
    says: &str,
    why: &str,
) {
    let target = format!("{name}:{}", server.local_addr().unwrap().port());
    let command = format!("node client.cjs {target} {says}");
    let (said, got) = tokio::join!(run(sandbox, &command), serve(server, ""));
    assert_eq!(got, b"", "{command}: {said:?}");
    let report = run(sandbox, "curl -s http://127.0.0.1:3128/").await.1;
    let last = report.lines().last().unwrap();
    assert!(
        last.contains(&format!("{target} was refused")) && last.contains(why),
        "{last}"
    );
}

/// The record of a ClientHello for this name (RFC 8446, 4.1.2) with another extension, as
/// hexadecimal digits.
fn hello_with(name: &str, extension: u16, data: &[u8]) -> String {
    let sized = |data: &[u8]| [&u16::try_from(data.len()).unwrap().to_be_bytes(), data].concat();
    let host = [&[0][..], &sized(name.as_bytes())].concat();
    let extensions = [
        &[0, 0][..],
        &sized(&sized(&host)),
        &extension.to_be_bytes(),
        &sized(data),
    ];
    let body = [
        &[3, 3][..],
        &[7; 32],
        // No session, one suite, no compression.
        &[0, 0, 2, 0x13, 0x01, 1, 0],
        &sized(&extensions.concat()),
    ]
    .concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    hex::encode([&[22, 3, 1][..], &sized(&message)].concat())
}

#[tokio::test]
async fn a_name_is_resolved_by_the_host_checked_and_must_be_readable_in_the_hello() {
    let (address, folder, data) = (
        PublicAddress::new("192.0.2.78"),
        tempfile::tempdir().unwrap(),
        data_dir(),
    );
    let server = address.listen(0).await;
    let port = server.local_addr().unwrap().port();
    let hosts = folder.path().join("hosts");
    let names = format!(
        "127.0.0.1 localhost inside.example.com\n{} shop.example.com\n",
        address.0
    );
    fs::write(&hosts, names).unwrap();
    let mut command = in_own_mounts();
    command.arg(format!(
        "mount --bind {} /etc/hosts && exec {} sandbox-host",
        hosts.display(),
        env!("CARGO_BIN_EXE_codeflow")
    ));
    let allow = format!("*.example.com:{port}");
    let host = HostProcess::of(
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env("SANDBOX_EGRESS_ALLOW", allow)
            .env("SANDBOX_POOL_SIZE", "0"),
    );
    let sandbox = host.create().await;
    give_client(&sandbox).await;
    let name = "shop.example.com";
    let client = format!("node client.cjs {name}:{port}");

    // Its own name in the hello, by a real client and by hand: the server gets it whole.
    let plain = hello_with(name, 0x0a0a, &[]);
    for says in [format!("tls {name}"), format!("bytes {plain}")] {
        let command = format!("{client} {says}");
        let (said, got) = tokio::join!(run(&sandbox, &command), serve(&server, "no"));
        assert_eq!(got.first(), Some(&22), "{command}: {said:?}");
    }
    let encrypted = hello_with(name, 0xfe0d, &[0; 40]);
    for (says, why) in [
        (
            "tls other.example.com".to_owned(),
            "it asks for the server other.example.com",
        ),
        (
            format!("bytes {encrypted}"),
            "switch Encrypted Client Hello off",
        ),
    ] {
        hello_is_refused(&sandbox, &server, name, &says, why).await;
    }
    // An allowed name does not lead to what is private.
    let (_, private) = run(
        &sandbox,
        &format!("node client.cjs inside.example.com:{port} tls"),
    )
    .await;
    assert!(
        private.contains("403") && private.contains("private"),
        "{private}"
    );
}

const PUBLIC: &str = "192.0.2.77";

#[tokio::test]
async fn only_traffic_that_names_the_allowed_host_passes() {
    let address = PublicAddress::new(PUBLIC);
    let (tls, http) = (address.listen(0).await, address.listen(80).await);
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
    give_client(&sandbox).await;
    let say = async |what: &str| {
        let output = sandbox
            .run(&format!("node client.cjs {what}"), &options())
            .await
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    // A ClientHello without a server's name, as it is said to an address, gets through whole; the
    // server hangs up.
    let unnamed = format!("{PUBLIC}:{port} tls");
    let (said, got) = tokio::join!(say(&unnamed), serve(&tls, "no"));
    assert_eq!((got[0], got[5]), (22, 1), "{said}");

    // A hello with another name, and anything but TLS, is blocked: the server receives nothing.
    for (says, why) in [
        ("tls evil.example", "it asks for the server evil.example"),
        (
            &*format!("plain 'GET / HTTP/1.1\\r\\nhost: {PUBLIC}\\r\\n\\r\\n'"),
            "not TLS",
        ),
    ] {
        hello_is_refused(&sandbox, &tls, PUBLIC, says, why).await;
    }

    // A plain request to a TLS port is not forwarded either: no connection is made.
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
        // The second request on a connection is checked like the first.
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
