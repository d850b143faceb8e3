//! Whatever a sandbox does to its own envd or its app's server is noticed, reported in its notice,
//! and repaired: the page answers again.

use std::time::Duration;

use codeflow::{
    protocol::{PreviewState, RunState},
    sandbox::Sandbox,
};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::support::{ControlPlane, Host, Model, Reply, run, stream, until};

/// The template's page, and paths on which the server hangs or takes all memory.
const SERVER: &str = r#"
import { createServer } from "node:http";
const kept = [];
createServer((request, response) => {
  if (request.url === "/hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (request.url === "/hog") for (;;) kept.push(Buffer.alloc(16 << 20, 1));
  response.end("<h1>The template</h1>");
}).listen(3000, "127.0.0.1");
"#;

/// Waits for the port, and takes it.
const SQUATTER: &str = "setsid node -e 'const take = () => require(\"net\").createServer().on(\"error\", () => setTimeout(take, 2)).listen(3000, \"127.0.0.1\"); \
     take(); setInterval(() => {}, 1000)' >/dev/null 2>&1 & sleep 1; pkill -KILL -f '^node server.mjs'";

/// Takes every process that there is from then on, and ends the server, which can't be started.
const FORKS: &str = "node -e 'const { spawn } = require(\"child_process\"); let ended; \
     const fork = () => { const child = spawn(\"sleep\", [\"600\"], { detached: true, stdio: \"ignore\" }); \
     child.on(\"error\", () => { ended ??= process.kill(+process.argv[1], 9); }); \
     setTimeout(fork, child.pid ? 0 : 10); }; fork()' $(pgrep -f '^node server.mjs')";

struct Trouble {
    /// What the sandbox runs; nobody waits for its end.
    command: &'static str,
    /// A path that is asked for then.
    request: Option<&'static str>,
    /// What the notice says; nothing is said of what is over before anybody could notice.
    says: Option<&'static str>,
}

impl Trouble {
    /// Whether all that it does is to stop a process.
    fn stops(&self) -> bool {
        self.command.contains("-STOP")
    }
}

const TROUBLES: [Trouble; 11] = [
    Trouble {
        command: "kill -STOP $(pgrep -xn codeflow)",
        request: None,
        says: None,
    },
    Trouble {
        command: "kill -STOP -1",
        request: None,
        says: Some("The app's server had been stopped"),
    },
    Trouble {
        // It can take no connection any more.
        command: "prlimit --nofile=3:3 --pid $(pgrep -xn codeflow)",
        request: None,
        says: Some("The sandbox did not answer and was restarted"),
    },
    Trouble {
        // It can start no process any more.
        command: "prlimit --nproc=1:1 --pid $(pgrep -xn codeflow); pkill -KILL -f '^node server.mjs'",
        request: None,
        says: Some("The sandbox had ended by itself and was started again"),
    },
    Trouble {
        // Nor can anybody else, before what took all processes is ended.
        command: FORKS,
        request: None,
        says: Some("The sandbox had ended by itself and was started again"),
    },
    Trouble {
        command: "kill -KILL $(pgrep -xn codeflow)",
        request: None,
        says: Some("The sandbox had ended by itself and was started again"),
    },
    Trouble {
        command: "pkill -STOP -f '^node server.mjs'",
        request: None,
        says: Some("The app's server had been stopped"),
    },
    Trouble {
        command: "mkfifo pipe.html",
        request: Some("/pipe"),
        says: Some("named pipe (pipe.html)"),
    },
    Trouble {
        command: "",
        request: Some("/hang"),
        says: Some("The app's server did not answer for"),
    },
    Trouble {
        command: "",
        request: Some("/hog"),
        says: Some("The app ran out of memory (256 MB) and was restarted"),
    },
    Trouble {
        command: SQUATTER,
        request: None,
        says: Some("The port of the app's server was taken by another program (node -e"),
    },
];

/// What is said of the sandbox's troubles.
async fn notice(host: &impl ControlPlane, sandbox: &Sandbox) -> Value {
    host.detail(sandbox.id()).await["notice"].clone()
}

/// Waits until the first page answers.
async fn until_it_answers(host: &impl ControlPlane, sandbox: &Sandbox, what: &str) {
    until(what, async || {
        let asked = host
            .preview(sandbox.id(), 3000, "/")
            .timeout(Duration::from_secs(5))
            .send()
            .await;
        let page = asked.ok()?.text().await.ok()?;
        (page == "<h1>The template</h1>").then_some(())
    })
    .await;
}

/// Whatever stops the envd or the server of this sandbox is noticed and mended, as on every host.
pub async fn stops_are_mended(host: &impl ControlPlane, sandbox: &Sandbox) {
    until_it_answers(host, sandbox, "the template's page is there").await;
    for trouble in TROUBLES.iter().filter(|trouble| trouble.stops()) {
        is_mended(host, sandbox, trouble).await;
    }
}

/// A sandbox with the server above, in place of the template's where `with_own` says so.
async fn sandbox(host: &Host, with_own: bool) -> Sandbox {
    let sandbox = host.create().await;
    until_it_answers(host, &sandbox, "the template's page is there").await;
    if with_own {
        sandbox
            .write_file("/home/user/server.mjs", SERVER)
            .await
            .unwrap();
        run(&sandbox, "pkill -KILL -f '^node server.mjs'").await;
        until_it_answers(host, &sandbox, "the other server's page is there").await;
    }
    sandbox
}

async fn is_mended(host: &impl ControlPlane, sandbox: &Sandbox, trouble: &Trouble) {
    let Trouble {
        command,
        request,
        says,
    } = trouble;
    sandbox.write_file("/home/user/kept", "kept").await.unwrap();
    let what = format!("{command} {}", request.unwrap_or_default());
    if !command.is_empty() {
        let output = stream(host, sandbox.id(), command).await;
        tokio::spawn(async move { output.bytes().await });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    if let Some(path) = request {
        let request = host.preview(sandbox.id(), 3000, path);
        tokio::spawn(async move { request.send().await });
    }
    if let Some(says) = says {
        until(&format!("{what}: it is said"), async || {
            // Somebody looks at the page meanwhile.
            let asking = host
                .preview(sandbox.id(), 3000, "/")
                .timeout(Duration::from_secs(1));
            let _ = asking.send().await;
            let said = notice(host, sandbox).await;
            said["message"]
                .as_str()
                .unwrap_or_default()
                .contains(says)
                .then_some(())
        })
        .await;
    }
    until_it_answers(host, sandbox, &format!("{what}: the page answers")).await;
    let kept = until(&format!("{what}: files are read"), async || {
        let reading =
            tokio::time::timeout(Duration::from_secs(5), sandbox.read_file("/home/user/kept"));
        reading.await.ok()?.ok()
    })
    .await;
    assert_eq!(kept, b"kept", "{what}");
    assert_ne!(notice(host, sandbox).await["failing"], true, "{what}");
}

#[tokio::test]
async fn an_envd_or_server_that_stops_hangs_or_ends_is_noticed_and_restarted() {
    let host = Host::start_with(|settings| settings.memory_mb = 256).await;
    // A few at a time: on a busy machine each looks like another trouble than it is.
    let mended = futures::stream::iter(&TROUBLES).map(async |trouble| {
        let with_own = matches!(trouble.request, Some("/hang" | "/hog"));
        is_mended(&host, &sandbox(&host, with_own).await, trouble).await;
    });
    mended
        .buffer_unordered(4)
        .for_each(|()| std::future::ready(()))
        .await;
    host.stop().await;
}

#[tokio::test]
async fn a_server_that_keeps_ending_is_reported_with_its_last_output_until_it_is_fixed() {
    let host = Host::start().await;
    let sandbox = sandbox(&host, false).await;
    let broken = "console.error('no <module> of that name'); process.exit(3);";
    sandbox
        .write_file("/home/user/server.mjs", broken)
        .await
        .unwrap();
    run(&sandbox, "pkill -KILL -f '^node server.mjs'").await;
    until("it is said to fail", async || {
        let _ = host.preview(sandbox.id(), 3000, "/").send().await;
        let notice = notice(&host, &sandbox).await;
        let message = notice["message"].as_str()?;
        let says = message.contains("times in a row (exit code 3)")
            && message.contains("no <module> of that name");
        (says && notice["failing"] == true).then_some(())
    })
    .await;
    let page = host
        .preview(sandbox.id(), 3000, "/")
        .header("sec-fetch-mode", "navigate")
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    assert!(
        page.contains("times in a row") && page.contains("no &lt;module&gt; of that name"),
        "{page}"
    );

    sandbox
        .write_file("/home/user/server.mjs", SERVER)
        .await
        .unwrap();
    until_it_answers(&host, &sandbox, "the mended server answers").await;
    assert_eq!(notice(&host, &sandbox).await["failing"], false);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_that_its_app_ran_out_of_memory_and_shows_it_again() {
    let host = Host::start_with(|settings| settings.memory_mb = 256).await;
    let data = tempfile::tempdir().unwrap();
    let replies = vec![
        Reply::write("server.mjs", SERVER),
        Reply::call(
            "terminal",
            json!({ "command": "pkill -KILL -f '^node server.mjs'" }),
        ),
        Reply::done(),
    ];
    let model = Model::start([("Build", replies)]).await;
    let server = host.serve(data.path(), &model);
    let project = server.create("Build").await;
    let mut feed = server.feed(project).await;
    assert_eq!(feed.ended(1).await.0, RunState::Succeeded);
    let sandbox = host.get("/v2/sandboxes").await[0]["sandboxID"]
        .as_str()
        .unwrap()
        .to_owned();
    let hog = host.preview(&sandbox, 3000, "/hog");
    tokio::spawn(async move { hog.send().await });
    // Somebody follows the feed, so the preview is looked at.
    until(
        "the preview says what happened, over a page that answers",
        async || match server.workspace(project).await.preview {
            PreviewState::Ready { notice, .. } => notice
                .filter(|said| said == "The app ran out of memory (256 MB) and was restarted."),
            _ => None,
        },
    )
    .await;
    assert_eq!(
        host.preview(&sandbox, 3000, "/")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    drop(feed);
    drop(server);
    host.stop().await;
}
