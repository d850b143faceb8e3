//! The self-contained program: it serves its embedded page files where no others exist, and
//! packaging it twice gives the same bytes.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;
use reqwest::Response;
use sha2::{Digest, Sha256};

use crate::support::{Model, Reply, Server, data_dir, http, in_own_mounts};

const SCRIPT: &str = "pkg/codeflow.js";
const HASHED: &str = "pkg/codeflow.nTmvSzVm-oKPz4WqWzGuVA.css";

fn text() -> String {
    "export default function hydrate() {}\n".repeat(200)
}

/// Starts the program in an empty root: with the folders of an operating system that has runc and
/// Node.js, and those of the program and its data, which are its arguments.
const EMPTY_ROOT: &str = r#"set -e
PROGRAM=$1 DATA=$2
PATH=$PATH:/usr/sbin:/sbin
root=$(mktemp -d)
mount -t tmpfs none "$root"
cd "$root"
mkdir -p usr etc proc dev sys run tmp old "./$DATA" "./$PROGRAM"
for link in bin sbin lib lib64; do [ ! -L "/$link" ] || cp -a "/$link" .; done
for folder in usr proc dev sys; do mount --rbind "/$folder" "$folder"; done
for program in node runc; do
  found=$(command -v $program) || continue
  prefix=$(dirname "$(dirname "$(readlink -f "$found")")")
  case $prefix in
    /usr*) ;;
    *) mkdir -p "./$prefix" && mount --bind "$prefix" "./$prefix" ;;
  esac
done
cp /etc/passwd /etc/group /etc/nsswitch.conf etc/
mount --bind "$DATA" "./$DATA"
mount --bind "$PROGRAM" "./$PROGRAM"
pivot_root . old
cd /
rmdir "/old$root"
umount -l /old
exec "$PROGRAM/codeflow" serve
"#;

/// A site as small as it can be.
fn site(folder: &Path) -> PathBuf {
    let site = folder.join("site");
    fs::create_dir_all(site.join("pkg")).unwrap();
    fs::write(site.join(SCRIPT), text()).unwrap();
    fs::write(site.join(HASHED), "a { color: red }").unwrap();
    fs::write(site.join("favicon.svg"), "<svg/>").unwrap();
    site
}

/// A copy of the program with the site embedded.
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
async fn the_program_alone_serves_and_builds_in_an_empty_root() {
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
    let mut command = in_own_mounts();
    command
        .args([EMPTY_ROOT, "sh"])
        .args([folder.path(), data.path()])
        .current_dir(empty.path());
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

    // A configured folder takes precedence.
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
    for (one, other) in first.iter().zip(&second) {
        assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap(), "{one:?}");
    }
    let names: Vec<&str> = first
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    let [sums, sbom, tarball, package] = names[..] else {
        panic!("{names:?}");
    };
    let read = |name: &str| fs::read(first[0].with_file_name(name)).unwrap();
    let sums = String::from_utf8(read(sums)).unwrap();
    for name in [tarball, sbom, package] {
        let hash = hex::encode(Sha256::digest(read(name)));
        assert!(sums.contains(&format!("{hash}  {name}\n")), "{sums}");
    }

    let tar = unpacked(&read(tarball));
    for name in [
        "codeflow",
        "codeflow.service",
        "codeflow.env",
        "Caddyfile",
        "compose.yaml",
        "INSTALL.md",
        "prometheus/codeflow.rules.yaml",
        "grafana/codeflow.json",
    ] {
        assert!(tar.contains(&format!("/{name}\0")), "{name}");
    }
    assert!(tar.contains("stands for the program") && tar.contains("CODEFLOW-SITE-01"));

    // An archive of ar: its members have heads of 60 bytes, with their sizes at the end.
    let (package, mut members, mut at) = (read(package), Vec::new(), 8);
    assert_eq!(&package[..at], b"!<arch>\n");
    while at < package.len() {
        let head = str::from_utf8(&package[at..at + 60]).unwrap();
        let size: usize = head[48..58].trim().parse().unwrap();
        let content = &package[at + 60..at + 60 + size];
        members.push((head[..16].trim_end_matches(['/', ' ']), content));
        at += 60 + size.next_multiple_of(2);
    }
    let [format, control, data] = members[..] else {
        panic!("{} members", members.len());
    };
    assert_eq!(format, ("debian-binary", &b"2.0\n"[..]));
    assert_eq!((control.0, data.0), ("control.tar.gz", "data.tar.gz"));
    let control = unpacked(control.1);
    let version = concat!("Version: ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(control.contains("Package: codeflow\n") && control.contains(version));
    assert!(control.contains("  usr/bin/codeflow\n"), "its checksum");
    let data = unpacked(data.1);
    assert!(data.contains("ExecStart=/usr/bin/codeflow serve\n"));
    assert!(data.contains("./usr/bin/codeflow\0") && data.contains("stands for the program"));

    let sbom: serde_json::Value = serde_json::from_slice(&read(sbom)).unwrap();
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    let components = sbom["components"].as_array().unwrap();
    for purl in [
        "pkg:cargo/axum@",
        "pkg:npm/%40codemirror/view@",
        "pkg:npm/next@",
    ] {
        let is_there = |of: &serde_json::Value| of["purl"].as_str().unwrap().starts_with(purl);
        assert!(components.iter().any(is_there), "{purl}");
    }
    // Only tests need it.
    let is_test = |of: &serde_json::Value| of["name"] == "insta";
    assert!(!components.iter().any(is_test));
}

/// The text in a compressed tarball.
fn unpacked(tarball: &[u8]) -> String {
    let mut tar = Vec::new();
    GzDecoder::new(tarball).read_to_end(&mut tar).unwrap();
    String::from_utf8_lossy(&tar).into_owned()
}
