//! Work in a sandbox: commands, files and previews, through the app's client and over plain HTTP.

use std::{collections::HashMap, time::Duration};

use codeflow::sandbox::{RunOptions, SandboxError};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::support::{ControlPlane, Host, PATIENCE, until};

fn options() -> RunOptions {
    RunOptions {
        cwd: "/home/user".to_owned(),
        envs: HashMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        timeout: PATIENCE,
    }
}

#[tokio::test]
async fn a_command_has_its_exit_code_and_both_outputs_and_a_time_out_kills_it_with_its_children() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let output = sandbox
        .run(
            "echo $GREETING from $(whoami) in $PWD; echo oops >&2; exit 3",
            &options(),
        )
        .await
        .unwrap();
    assert_eq!(output.exit_code, 3);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "hello from user in /home/user\n"
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "oops\n");
    assert!(!output.timed_out);

    let quick = RunOptions {
        timeout: Duration::from_secs(5),
        ..options()
    };
    let output = sandbox
        .run("sleep 987 & echo begun; sleep 987", &quick)
        .await
        .unwrap();
    assert!(output.timed_out);
    assert_eq!(output.stdout, b"begun\n");
    until("the command's children are gone", async || {
        let left = sandbox.run("pgrep -c -x sleep", &options()).await.unwrap();
        (left.stdout == b"0\n").then_some(())
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn files_are_written_atomically_with_their_folders_and_a_wrong_path_says_what_is_wrong() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let binary: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    sandbox
        .write_file("/home/user/new/deep/file.bin", binary.clone())
        .await
        .unwrap();
    assert_eq!(
        sandbox
            .read_file("/home/user/new/deep/file.bin")
            .await
            .unwrap(),
        binary
    );
    let listed = sandbox.list_dir("/home/user/new", 2).await.unwrap();
    let paths: Vec<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/home/user/new/deep", "/home/user/new/deep/file.bin"]
    );

    sandbox.remove("/home/user/new").await.unwrap();
    let gone = sandbox
        .read_file("/home/user/new/deep/file.bin")
        .await
        .unwrap_err();
    assert!(
        matches!(&gone, SandboxError::NoSuchPath(message) if message.contains("file.bin")),
        "{gone:?}"
    );
    let folder = sandbox.read_file("/home/user/app").await.unwrap_err();
    assert!(
        matches!(&folder, SandboxError::Refused(message) if message.contains("is a directory")),
        "{folder:?}"
    );
    let denied = sandbox.write_file("/etc/hosts", "x").await.unwrap_err();
    assert!(matches!(denied, SandboxError::Refused(_)), "{denied:?}");

    // A link leads to the sandbox's own files, never to the host's.
    sandbox
        .run(
            "echo inside > /tmp/here; ln -s /tmp/here link; ln -s /root/.bashrc out",
            &options(),
        )
        .await
        .unwrap();
    assert_eq!(
        sandbox.read_file("/home/user/link").await.unwrap(),
        b"inside\n"
    );
    assert!(sandbox.read_file("/home/user/out").await.is_err());
    host.stop().await;
}

#[tokio::test]
async fn a_sandbox_has_no_rights_no_network_and_its_limits() {
    let host = Host::start_with(|settings| settings.pids = 64).await;
    let sandbox = host.create().await;
    let run = async |command: &str| {
        let output = sandbox.run(command, &options()).await.unwrap();
        (
            output.exit_code,
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let (_, status) =
        run("grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t '").await;
    for line in [
        "CapEff:0000000000000000",
        "CapBnd:0000000000000000",
        "NoNewPrivs:1",
        "Seccomp:2",
    ] {
        assert!(
            status.lines().any(|found| found == line),
            "{line} is not in {status}"
        );
    }
    assert_eq!(
        run("ls /sys/class/net 2>/dev/null || tail -n +3 /proc/net/dev | cut -d: -f1")
            .await
            .1,
        "lo"
    );
    assert_ne!(run("touch /usr/x").await.0, 0);
    assert_ne!(run("mount -t tmpfs none /mnt").await.0, 0);
    assert_ne!(run("unshare --user true").await.0, 0);
    // Only its own processes are seen.
    assert_eq!(
        run("cat /proc/1/cmdline | tr '\\0' ' '").await.1,
        "/codeflow envd"
    );
    // Far more processes than it may have: it stays alive, and so does the host. The files are at
    // hand meanwhile, though no thread can be started.
    let storm = run("for i in $(seq 200); do sleep 5 & done 2>/dev/null; true");
    let files = async {
        sandbox.write_file("/home/user/limit", "x").await.unwrap();
        until("the limit is reached", async || {
            let refused = sandbox.run("true", &options()).await.err()?;
            refused.to_string().contains("limit").then_some(())
        })
        .await;
        let path = "/home/user/app/at-the-limit";
        sandbox.write_file(path, "written").await.unwrap();
        assert_eq!(sandbox.read_file(path).await.unwrap(), b"written");
    };
    tokio::join!(storm, files);
    until("the sandbox answers again", async || {
        sandbox
            .run("true", &options())
            .await
            .ok()
            .filter(|output| output.exit_code == 0)
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn a_preview_answers_to_its_host_name_web_socket_included() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    until("the app answers", async || {
        sandbox.fetch(3000, "/", 1000).await.unwrap()
    })
    .await;

    let page = host.preview(sandbox.id(), 3000, "/").send().await.unwrap();
    assert_eq!(page.text().await.unwrap(), "<h1>The template</h1>");
    let answer = host
        .preview(sandbox.id(), 3000, "/headers")
        .header("x-own", "kept")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .send()
        .await
        .unwrap();
    assert!(!answer.headers().contains_key("clear-site-data"));
    let seen: Value = answer.json().await.unwrap();
    assert_eq!(
        seen["host"],
        format!("3000-{}.{}", sandbox.id(), host.host.domain())
    );
    assert_eq!(seen["x-own"], "kept");
    assert_eq!(seen["x-hop"], Value::Null);

    let mut request = host
        .host
        .url()
        .replace("http", "ws")
        .into_client_request()
        .unwrap();
    let name = format!("3000-{}.{}", sandbox.id(), host.host.domain());
    request.headers_mut().insert("host", name.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    for text in ["hot", "reload"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
    host.stop().await;
}

#[tokio::test]
async fn a_port_that_is_not_open_is_json_for_programs_and_a_page_that_waits_for_people() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let closed = host.preview(sandbox.id(), 8080, "/").send().await.unwrap();
    assert_eq!(closed.status(), 502);
    let body: Value = closed.json().await.unwrap();
    assert_eq!(
        body,
        json!({ "sandboxId": sandbox.id(), "message": "The sandbox is running but port is not open", "port": 8080, "code": 502 })
    );
    let person = host
        .preview(sandbox.id(), 8080, "/")
        .header("sec-fetch-mode", "navigate")
        .send()
        .await
        .unwrap();
    assert_eq!(person.headers()["content-type"], "text/html; charset=utf-8");
    assert!(person.text().await.unwrap().contains("Starting the app"));

    let unknown = host
        .preview("inosuchsandbox", 3000, "/")
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 502);
    let body: Value = unknown.json().await.unwrap();
    assert_eq!(body["message"], "The sandbox was not found");
    host.stop().await;
}

#[tokio::test]
async fn an_abandoned_command_is_killed() {
    let host = Host::start().await;
    let sandbox = host.create().await;
    let given_up = tokio::time::timeout(
        Duration::from_millis(500),
        sandbox.run("sleep 986", &options()),
    )
    .await;
    assert!(given_up.is_err());
    until("it is gone", async || {
        let left = sandbox.run("pgrep -c -x sleep", &options()).await.unwrap();
        (left.stdout == b"0\n").then_some(())
    })
    .await;
    host.stop().await;
}

#[tokio::test]
async fn half_a_target_and_an_undecodable_upload_are_refused_and_never_misread() {
    let host = Host::start().await;
    let half = host
        .http
        .get(host.host.url())
        .header("e2b-sandbox-id", "iabc")
        .send()
        .await
        .unwrap();
    assert_eq!(half.status(), 400);
    let made = host
        .post(
            "/sandboxes",
            &json!({ "templateID": "nextjs", "timeout": 300 }),
        )
        .await;
    let upload = async |encoding: &str| {
        let request = host.http.post(format!("{}/files?path=x", host.host.url()));
        let request = request
            .header("e2b-sandbox-id", made["sandboxID"].as_str().unwrap())
            .header("e2b-sandbox-port", "49983")
            .header("content-type", "application/octet-stream")
            .header("content-encoding", encoding)
            .body("not compressed at all");
        request.send().await.unwrap().status()
    };
    assert_eq!(upload("gzip").await, 400);
    assert_eq!(upload("unheard-of").await, 415);
    let sandbox = host
        .client
        .connect(made["sandboxID"].as_str().unwrap(), PATIENCE)
        .await
        .unwrap();
    assert!(matches!(
        sandbox.read_file("/home/user/x").await,
        Err(SandboxError::NoSuchPath(_))
    ));
    host.stop().await;
}
