//! Terminals: shells of the sandbox that outlive the page, their limits, and what happens to them
//! when the sandbox sleeps or is gone.

use codeflow::protocol::{ProjectId, TerminalRequest, TerminalSandbox};
use reqwest::Method;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};

use crate::support::{ControlPlane, Host, Model, Reply, Server, Terminal, data_dir};

async fn model() -> Model {
    let page = || Reply::write("index.html", "<h1>One</h1>");
    Model::start([
        ("Build", vec![page(), Reply::done()]),
        ("Again", vec![page(), Reply::done()]),
    ])
    .await
}

async fn built(server: &Server) -> ProjectId {
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;
    project
}

#[tokio::test]
async fn a_shell_outlives_its_page_says_what_it_left_running_and_its_files_are_in_the_next_version()
{
    let (data, model) = (data_dir(), model().await);
    let server = Server::start(data.path(), &model);
    let project = built(&server).await;
    let mut page = Terminal::open(&server, project).await;
    let shell = page.shell().await;
    page.run(shell, "echo $((40+2))-first; tty; pwd", "42-first")
        .await;
    page.shows(shell, "/dev/pts/").await;
    page.shows(shell, "/home/user").await;
    page.run(
        shell,
        "echo 'const made = 1;' > made.ts; echo typed-$((1))-secret",
        "typed-1-secret",
    )
    .await;
    page.ask(&TerminalRequest::Resize {
        shell,
        cols: 123,
        rows: 45,
    })
    .await;
    page.run(shell, "sleep 0.2; stty size", "45 123").await;

    // Another page shows all of it; one that comes back only what it doesn't have.
    let mut other = Terminal::open(&server, project).await;
    other.shows(shell, "42-first").await;
    let place = page.shown[&shell].1;
    drop(page);
    other
        .run(shell, "echo $((2+2))-meanwhile", "4-meanwhile")
        .await;
    let mut back = Terminal::connect(&server, project).await;
    back.ask(&TerminalRequest::Follow {
        have: vec![(shell, place)],
    })
    .await;
    back.shows(shell, "4-meanwhile").await;
    assert!(
        !back.text(shell).contains("42-first"),
        "{}",
        back.text(shell)
    );

    back.type_in(shell, "sleep 321 & disown; exit 3\n").await;
    let end = back
        .until("the shell has ended", |page| {
            page.described(shell)?
                .ended
                .clone()
                .filter(|end| !end.left.is_empty())
        })
        .await;
    assert_eq!(end.code, Some(3));
    assert!(end.left[0].command.contains("sleep 321"), "{end:?}");
    back.type_in(shell, "x").await;
    back.until("typing is refused", |page| {
        page.refused
            .iter()
            .any(|reason| reason.contains("has ended"))
            .then_some(())
    })
    .await;
    back.ask(&TerminalRequest::EndLeft { shell }).await;
    for page in [&mut back, &mut other] {
        page.until("nothing is left", |page| {
            let end = page.described(shell)?.ended.clone()?;
            end.left.is_empty().then_some(())
        })
        .await;
    }
    back.refused.clear();
    let second = back.shell().await;
    assert_eq!(second, shell + 1);
    back.run(
        second,
        "pgrep -f 'sleep 32[1]' || echo none-$((0))",
        "none-0",
    )
    .await;
    back.ask(&TerminalRequest::Close { shell }).await;
    back.until("it is forgotten", |page| {
        page.described(shell).is_none().then_some(())
    })
    .await;

    server.send(project, "Again").await;
    server.feed(project).await.succeeded(2).await;
    let read = format!("/api/files/read?project={project}&path=made.ts&plain=true");
    let read = server.get(&read).await.text().await.unwrap();
    assert!(read.contains("const made"), "{read}");
    let versions = format!("/api/versions/list?project={project}");
    let versions: serde_json::Value = server.get(&versions).await.json().await.unwrap();
    assert_eq!(versions[0]["changed"], 1, "{versions}");
    assert!(!server.log().contains("typed-1-secret") && !server.log().contains("sleep 321"));
}

#[tokio::test]
async fn other_sites_unknown_projects_and_odd_frames_are_refused_with_a_reason() {
    let (data, model) = (data_dir(), model().await);
    let server = Server::start(data.path(), &model);
    let project = built(&server).await;
    let url = format!(
        "ws://127.0.0.1:{}/ws/projects/{project}/terminal",
        server.port
    );
    for (origin, is_let_in) in [
        ("http://3000-iabc.localhost:3000", false),
        ("https://evil.example", false),
        ("null", false),
        (&*server.url(), true),
    ] {
        let mut request = url.as_str().into_client_request().unwrap();
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
        let connected = tokio_tungstenite::connect_async(request).await;
        match connected {
            Ok(_) => assert!(is_let_in, "{origin}"),
            Err(tungstenite::Error::Http(answer)) => {
                assert!(!is_let_in && answer.status() == 403, "{origin} {answer:?}");
            }
            Err(error) => panic!("{origin}: {error}"),
        }
    }
    for unknown in ["none", "01890000-0000-7000-8000-000000000000"] {
        let end = Terminal::connect(&server, unknown).await.closed().await;
        assert_eq!((end.code, &*end.reason), (1008, "there is no such project"));
    }
    for odd in [
        tungstenite::Message::text("{}"),
        tungstenite::Message::text("ls"),
        tungstenite::Message::binary(vec![0, 0]),
    ] {
        let mut page = Terminal::open(&server, project).await;
        page.send(odd).await;
        assert_eq!(page.closed().await.code, 1008);
    }
    let mut page = Terminal::open(&server, project).await;
    page.type_in(7, "x").await;
    page.until("it is refused", |page| page.refused.first().cloned())
        .await;
    // A project that has no app yet has no sandbox made for it.
    let empty = server.create("Nothing answers this").await;
    let mut page = Terminal::open(&server, empty).await;
    page.until("there is no app", |page| {
        (page.sandbox == TerminalSandbox::None).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_flood_and_a_page_that_reads_nothing_hold_up_nobody_and_shells_are_few() {
    let (data, model) = (data_dir(), model().await);
    let server = Server::start(data.path(), &model);
    let project = built(&server).await;
    let mut page = Terminal::open(&server, project).await;
    let flooding = page.shell().await;
    // Reads nothing from here on.
    let _stuck = Terminal::open(&server, project).await;
    let mut quick = Terminal::open(&server, project).await;
    let calm = quick.shell().await;
    page.type_in(flooding, "yes a-line-of-the-flood\n").await;
    page.until("much was shown", |page| {
        (page.shown.get(&flooding)?.0.len() > 3 << 20).then_some(())
    })
    .await;
    quick
        .run(calm, "echo $((3*3))-while-it-floods", "9-while-it-floods")
        .await;
    page.type_in(flooding, "\x03").await;
    page.run(flooding, "echo $((5*5))-after", "25-after").await;
    // A page that comes late gets the end, from a whole line on.
    let mut late = Terminal::open(&server, project).await;
    late.shows(flooding, "25-after").await;
    let shown = &late.shown[&flooding].0;
    assert!(shown.len() <= 256 << 10, "{}", shown.len());
    assert!(shown.starts_with(b"a-line-of-the-flood\r\n"));
    // What a shell does not read is left out in the end, and said.
    late.type_in(flooding, "sleep 100\n").await;
    for _ in 0..200 {
        late.type_in(flooding, &"k".repeat(16 << 10)).await;
    }
    late.until("what is too much is refused", |page| {
        page.refused
            .first()
            .filter(|why| why.contains("left out"))
            .cloned()
    })
    .await;

    for _ in 0..6 {
        quick.shell().await;
    }
    quick
        .ask(&TerminalRequest::Open {
            cols: 80,
            rows: 24,
            first: false,
        })
        .await;
    let reason = quick
        .until("one too many is refused", |page| {
            page.refused.first().cloned()
        })
        .await;
    assert!(reason.contains("8 terminals at most"), "{reason}");
}

#[tokio::test]
async fn a_terminal_alone_lets_its_sandbox_sleep_and_the_shell_goes_on_when_it_is_woken() {
    let (data, model) = (data_dir(), model().await);
    let server = Server::start_and(data.path(), &model, &[("SANDBOX_IDLE_SECONDS", "2")]);
    let project = built(&server).await;
    let mut page = Terminal::open(&server, project).await;
    let shell = page.shell().await;
    page.run(shell, "kept=$((6*7)); echo set-$((1))", "set-1")
        .await;
    let is = |state: TerminalSandbox| move |page: &Terminal| (page.sandbox == state).then_some(());
    page.until("it sleeps", is(TerminalSandbox::Asleep)).await;
    page.type_in(shell, "x").await;
    let reason = page
        .until("typing is refused", |page| page.refused.first().cloned())
        .await;
    assert!(reason.contains("asleep"), "{reason}");
    page.ask(&TerminalRequest::Wake).await;
    page.until("it is awake", is(TerminalSandbox::Awake)).await;
    page.run(shell, "echo kept-$kept", "kept-42").await;
    assert_eq!(page.described(shell).unwrap().ended, None);
}

#[tokio::test]
async fn shells_outlive_the_server_and_end_in_words_with_their_sandbox() {
    // As another machine's, which the server reaches as E2B's.
    let host = Host::start().await;
    let (data, model) = (tempfile::tempdir().unwrap(), model().await);
    let server = host.serve(data.path(), &model);
    let project = built(&server).await;
    let mut page = Terminal::open(&server, project).await;
    let shell = page.shell().await;
    page.run(shell, "kept=$((6*7)); echo set-$((1))", "set-1")
        .await;
    server.stop();

    let server = host.serve(data.path(), &model);
    let mut page = Terminal::open(&server, project).await;
    page.shows(shell, "The server was restarted").await;
    page.run(shell, "echo kept-$kept; sleep 777 &", "kept-42")
        .await;
    page.ask(&TerminalRequest::Close { shell }).await;
    page.until("it is forgotten", |page| {
        page.described(shell).is_none().then_some(())
    })
    .await;
    let shell = page.shell().await;
    page.run(
        shell,
        "pgrep -f 'sleep 77[7]' || echo none-$((0))",
        "none-0",
    )
    .await;
    for sandbox in host.get("/v2/sandboxes").await.as_array().unwrap() {
        let id = sandbox["sandboxID"].as_str().unwrap();
        host.status(Method::DELETE, &format!("/sandboxes/{id}"))
            .await;
    }
    page.until("the shell has ended", |page| {
        page.described(shell)?.ended.as_ref().map(|end| end.code)
    })
    .await;
    let second = page.shell().await;
    page.run(second, "cat index.html", "<h1>One</h1>").await;
    drop(page);
    server.stop();
    host.stop().await;
}
