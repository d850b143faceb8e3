//! Environments: staging shows a notice on every page and can be emptied; production refuses unsafe
//! settings.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use codeflow::protocol::ProjectSummary;

use crate::support::{Model, Reply, Server, data_dir};

/// Variables, a command, and how its complaint begins.
type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

/// Runs the command to its end with this input. Returns whether it succeeded, its output, and the
/// last line of its error.
pub fn codeflow(
    data: &Path,
    env: &[(&str, &str)],
    arguments: &[&str],
    typed: &str,
) -> (bool, String, String) {
    let kept = ["PATH", "HOME", "LANG"].into_iter();
    let kept = kept.filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(env!("CARGO_BIN_EXE_codeflow"))
        .args(arguments)
        .env_clear()
        .envs(kept)
        .env("CODEFLOW_DATA_DIR", data)
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    let (mut printed, mut complaint) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut complaint)
        .unwrap();
    let succeeded = child.wait().unwrap().success();
    let last = complaint.lines().last().unwrap_or_default();
    (succeeded, printed, last.to_owned())
}

#[tokio::test]
async fn staging_says_so_on_every_page_and_is_emptied_only_when_it_is_meant() {
    let data = data_dir();
    let model = Model::start([("Build", vec![Reply::done()])]).await;
    let banner = "this server is for trying things out";
    let staging = [("CODEFLOW_ENV", "staging")];
    let server = Server::start_and(data.path(), &model, &staging);
    let project = server.create("Build").await;
    server.feed(project).await.ended(1).await;
    let page = format!("/projects/{project}");
    for path in ["/", &*page, "/admin/runs", "/no/such/page"] {
        let text = server.get(path).await.text().await.unwrap();
        assert!(text.contains(banner), "{path}");
        assert!(text.contains(r#"<aside aria-label="Staging""#), "{path}");
    }
    let reset = |env: &[(&str, &str)], arguments: &[&str], typed: &str| {
        codeflow(data.path(), env, arguments, typed)
    };
    let confirmed = ["reset", "--staging", "--yes"];
    let (_, _, line) = reset(&staging, &confirmed, "");
    assert!(
        line.starts_with("codeflow: another codeflow works in "),
        "{line}"
    );
    server.stop();

    for environment in ["", "development", "production"] {
        let (succeeded, _, line) = reset(&[("CODEFLOW_ENV", environment)], &confirmed, "");
        assert!(!succeeded);
        assert!(
            line.starts_with("codeflow: only a staging server is reset"),
            "{line}"
        );
    }
    let (succeeded, _, line) = reset(&staging, &["reset"], "");
    assert!(!succeeded, "{line}");
    let (succeeded, _, line) = reset(&staging, &["reset", "--staging"], "yes\n");
    assert!(!succeeded && line.contains("nothing was deleted"), "{line}");
    let server = Server::start_and(data.path(), &model, &[]);
    let text = server.get(&page).await.text().await.unwrap();
    assert!(!text.contains(banner));
    let list = async |server: &Server| -> Vec<ProjectSummary> {
        server.get("/api/projects/list").await.json().await.unwrap()
    };
    assert_eq!(list(&server).await.len(), 1);
    server.stop();

    let (succeeded, printed, line) = reset(&staging, &["reset", "--staging"], "reset\n");
    assert!(succeeded && printed.contains("is empty"), "{line}");
    let server = Server::start_and(data.path(), &model, &staging);
    assert!(list(&server).await.is_empty());
    assert_eq!(server.get(&page).await.status(), 404);
    server.stop();
    let (succeeded, ..) = reset(&staging, &confirmed, "");
    assert!(succeeded, "an empty one too");
}

#[test]
fn production_does_not_start_unsafe() {
    let data = data_dir();
    let production = ("CODEFLOW_ENV", "production");
    let key = ("OPENAI_API_KEY", "x");
    let rows: [Row; 4] = [
        (
            &[production, key, ("PUBLIC_URL", "http://build.example.com")],
            "serve",
            "PUBLIC_URL=http://build.example.com: with CODEFLOW_ENV=production",
        ),
        (
            &[production, key, ("AUTH", "off")],
            "serve",
            "AUTH=off: with CODEFLOW_ENV=production",
        ),
        (
            &[
                production,
                key,
                ("DATABASE_URL", "postgres://x:hidden@db/x"),
            ],
            "serve",
            "CODEFLOW_SECRET_KEY is not set: with CODEFLOW_ENV=production",
        ),
        (
            &[production],
            "sandbox-host",
            "SANDBOX_HOST_KEY is not set: with CODEFLOW_ENV=production",
        ),
    ];
    for (env, command, expected) in rows {
        let env = [env, &[("LEPTOS_SITE_ADDR", "127.0.0.1:0")]].concat();
        let (succeeded, _, line) = codeflow(data.path(), &env, &[command], "");
        assert!(!succeeded, "{expected}");
        assert!(line.starts_with(&format!("codeflow: {expected}")), "{line}");
        assert!(!line.contains("hidden"), "{line}");
    }
}
