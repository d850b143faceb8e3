//! The program has the page's files in itself: it serves them where nothing else is, and a package
//! of it is the same each time it is made.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;
use reqwest::Response;

use crate::support::{Model, Reply, Server, data_dir, http, in_own_mounts};

const SCRIPT: &str = "pkg/codeflow.js";
const HASHED: &str = "pkg/codeflow.nTmvSzVm-oKPz4WqWzGuVA.css";

fn text() -> String {
    "export default function hydrate() {}\n".repeat(200)
}

/// A site as small as it can be.
fn site(folder: &Path) -> PathBuf {
    let site = folder.join("site");
    fs::create_dir_all(site.join("pkg")).unwrap();
    fs::write(site.join(SCRIPT), text()).unwrap();
    fs::write(site.join(HASHED), "a { color: red }").unwrap();
    fs::write(site.join("favicon.svg"), "<svg/>").unwrap();
    site
}

/// A copy of the program with the site in it.
fn packed(folder: &Path) -> PathBuf {
    let program = folder.join("codeflow");
    let packed = Command::new(env!("CARGO_BIN_EXE_codeflow"))
        .arg("pack-site")
        .args([site(folder), program.clone()])
        .stdout(Stdio::null())
        .status();
    assert!(packed.unwrap().success());
    program
}

async fn ask(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = http().get(format!("{}/{path}", server.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_alone_serves_its_pages_where_there_is_no_checkout() {
    let (folder, empty, data) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        data_dir(),
    );
    let program = packed(folder.path());
    let model = Model::start([(
        "Build",
        vec![Reply::write("index.html", "<h1>One</h1>"), Reply::done()],
    )])
    .await;
    let hidden = format!(
        "mount -t tmpfs none '{}' && exec '{}' serve",
        env!("CARGO_MANIFEST_DIR"),
        program.display()
    );
    let mut command = in_own_mounts();
    command.arg(hidden).current_dir(empty.path());
    let server = Server::process_by(&mut command, data.path(), &model, &[]).await;
    let home = ask(&server, "", &[("accept", "text/html")]).await;
    assert_eq!(home.status(), 200);
    assert!(home.text().await.unwrap().contains("/pkg/codeflow.js"));
    let project = server.create("Build").await;
    server.feed(project).await.succeeded(1).await;

    let raw = ask(&server, SCRIPT, &[]).await;
    assert_eq!(header(&raw, "content-type"), "text/javascript");
    assert_eq!(header(&raw, "cache-control"), "no-cache");
    assert_eq!(header(&raw, "x-content-type-options"), "nosniff");
    assert_eq!(raw.text().await.unwrap(), text());
    let mut tags = Vec::new();
    for (accepted, encoding) in [("gzip, br", "br"), ("gzip", "gzip"), ("identity", "")] {
        let answer = ask(&server, SCRIPT, &[("accept-encoding", accepted)]).await;
        assert_eq!(header(&answer, "content-encoding"), encoding, "{accepted}");
        assert!(header(&answer, "vary").contains("accept-encoding"));
        let tag = header(&answer, "etag").to_owned();
        let length = answer.bytes().await.unwrap().len();
        assert_eq!(length < text().len() / 10, !encoding.is_empty(), "{length}");
        let known = [("accept-encoding", accepted), ("if-none-match", &*tag)];
        let again = ask(&server, SCRIPT, &known).await;
        assert_eq!(
            (again.status().as_u16(), header(&again, "etag")),
            (304, &*tag)
        );
        assert!(again.bytes().await.unwrap().is_empty());
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "each form has its tag");
    let hashed = ask(&server, HASHED, &[]).await;
    assert_eq!(
        header(&hashed, "cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(ask(&server, "pkg/none.js", &[]).await.status(), 404);
    assert_eq!(
        ask(&server, "pkg/../../etc/passwd", &[]).await.status(),
        404
    );
    server.stop();

    // A folder that is named is served instead.
    let other = empty.path().join("other");
    fs::create_dir_all(other.join("pkg")).unwrap();
    fs::write(other.join(SCRIPT), "other").unwrap();
    let mut command = Command::new(&program);
    command.arg("serve").current_dir(empty.path());
    let root = [("LEPTOS_SITE_ROOT", other.to_str().unwrap())];
    let server = Server::process_by(&mut command, data.path(), &model, &root).await;
    assert_eq!(
        ask(&server, SCRIPT, &[]).await.text().await.unwrap(),
        "other"
    );
    server.stop();

    // A damaged one says so, and starts nothing.
    let mut bytes = fs::read(&program).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    let (written, damaged) = (folder.path().join("written"), folder.path().join("damaged"));
    fs::write(&written, bytes).unwrap();
    // By a process of its own: a child that another test forked meanwhile would keep it open.
    let mut install = Command::new("install");
    install.args(["-m", "755"]).args([&written, &damaged]);
    assert!(install.status().unwrap().success());
    let ended = Command::new(&damaged)
        .arg("serve")
        .env("CODEFLOW_DATA_DIR", data.path())
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        .env("AI_PROVIDER", "demo")
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let complaint = String::from_utf8(ended.stderr).unwrap();
    let line = complaint.lines().last().unwrap();
    assert!(
        line.starts_with("codeflow: the page's files at the end of this program are damaged"),
        "{complaint}"
    );
}

#[test]
fn a_package_has_what_a_server_needs_and_is_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (site, program) = (site(folder.path()), folder.path().join("program"));
    fs::write(&program, "stands for the program").unwrap();
    let make = |name: &str| {
        let dist = folder.path().join(name);
        let made = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("script/package"))
            .arg(env!("CARGO_BIN_EXE_codeflow"))
            .args([&program, &site])
            .env("DIST", &dist)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let mut files: Vec<_> = fs::read_dir(&dist)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let first = make("first");
    // Other times of the files are no other package.
    fs::write(site.join(SCRIPT), text()).unwrap();
    let second = make("second");
    assert_eq!(first.len(), 2, "{first:?}");
    for (one, other) in first.iter().zip(&second) {
        assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap(), "{one:?}");
    }
    let mut tar = Vec::new();
    let tarball = fs::File::open(&first[1]).unwrap();
    GzDecoder::new(tarball).read_to_end(&mut tar).unwrap();
    let tar = String::from_utf8_lossy(&tar);
    for name in [
        "codeflow",
        "codeflow.service",
        "codeflow.env",
        "Caddyfile",
        "INSTALL.md",
    ] {
        assert!(tar.contains(&format!("/{name}\0")), "{name}");
    }
    assert!(tar.contains("stands for the program") && tar.contains("CODEFLOW-SITE-01"));
}
