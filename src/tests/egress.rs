//! The way out of a sandbox: closed, but for what is allowed, and never to a private address.

use std::time::Duration;

use codeflow::config::sandbox_host::EgressRule;

use crate::support::{ControlPlane, Host, options};

#[tokio::test]
async fn only_allowed_names_are_reached_and_never_at_a_private_address() {
    // A server on this machine that nobody inside may reach, whatever the list says.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host::start_with(|settings| {
        settings.egress_allow = ["localhost", "127.0.0.1"]
            .map(|host| EgressRule {
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
        let command =
            format!("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{request}\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n' >&3; cat <&3");
        String::from_utf8(sandbox.run(&command, &options).await.unwrap().stdout).unwrap()
    };
    let refused = ask("CONNECT example.com:443 HTTP/1.1").await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(refused.contains("SANDBOX_EGRESS_ALLOW"), "{refused}");
    for spelled in [
        format!("CONNECT localhost:{port}"),
        format!("CONNECT 127.0.0.1:{port}"),
        format!("GET http://localhost:{port}/"),
    ] {
        let private = ask(&format!("{spelled} HTTP/1.1")).await;
        assert!(private.starts_with("HTTP/1.1 403"), "{spelled}: {private}");
        assert!(private.contains("private"), "{spelled}: {private}");
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err(),
        "somebody connected"
    );

    // What was refused is told to who asks, inside and on the host.
    let told = ask("GET / HTTP/1.1").await;
    assert!(
        told.contains("4 connections refused") && told.contains("example.com:443 was refused"),
        "{told}"
    );
    let logs = host
        .api(reqwest::Method::GET, &format!("/v2/sandboxes/{}/logs", sandbox.id()))
        .send()
        .await
        .unwrap();
    assert!(logs.text().await.unwrap().contains("example.com:443 was refused"));

    // Without the proxy there is no way at all.
    let direct = sandbox.run("exec 3<>/dev/tcp/1.1.1.1/443", &options).await.unwrap();
    assert_ne!(direct.exit_code, 0);
    host.stop().await;
}
