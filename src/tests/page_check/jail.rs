//! The process that becomes the browser: confined as root and as an ordinary user, or not started
//! at all.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::support::copy_program;

/// What runs in the browser's place: it says who it is, which devices it has, and whether it
/// reaches this port of the machine.
const PROBE: &str = "id -u; readlink /proc/self/ns/net; cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' ' | sort | tr '\\n' ' '; echo; grep CapEff \
                     /proc/self/status; (exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null && echo reached || echo kept";

/// The program where every user can execute it.
fn program() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("codeflow");
    copy_program(&program);
    (folder, program)
}

/// Runs the jail by `setpriv` with these arguments; what came over the socket, and how it ended.
fn run(program: &Path, privileges: &[&str], jail: &[&str], browser: &str) -> (String, Output) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(privileges)
        .arg(program)
        .arg("browser-jail")
        .args(jail)
        .args(["--", "/bin/bash", "-c", browser])
        .stdin(Stdio::from(OwnedFd::from(theirs)));
    let output = command.output().unwrap();
    drop(command);
    let mut said = String::new();
    ours.read_to_string(&mut said).unwrap();
    (said, output)
}

#[test]
fn the_browser_has_no_network_and_no_rights_as_root_and_as_an_ordinary_user() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let probe = PROBE.replace("PORT", &listener.local_addr().unwrap().port().to_string());
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let (_folder, program) = program();
    let ordinary: &[&str] = &["--reuid=65534", "--regid=65534", "--clear-groups"];
    let as_nobody: &[&str] = &["--user", "65534", "--group", "65534"];
    for (privileges, jail) in [(&[][..], as_nobody), (ordinary, &[])] {
        let (said, output) = run(&program, privileges, jail, &probe);
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            (said.as_str(), output.status.success()),
            ("-", true),
            "{text}"
        );
        assert_eq!(lines[0], "65534");
        assert!(
            lines[1].starts_with("net:[") && lines[1] != own.to_str().unwrap(),
            "{text}"
        );
        assert!(["lo", "lo net0 net1"].contains(&lines[2]), "{text}");
        assert!(lines[3].ends_with("0000000000000000"), "{text}");
        assert_eq!(lines[4], "kept");
    }
}

#[test]
fn no_browser_starts_without_a_namespace_of_its_own() {
    let (_folder, program) = program();
    let confined: &[&str] = &["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
    for (privileges, jail, reason) in [
        (
            confined,
            &["--user", "65534", "--group", "65534"][..],
            "root may make none here",
        ),
        (&[][..], &[][..], "another user to run the browser as"),
        (
            &[][..],
            &[
                "--join",
                "/nowhere/cgroup.procs",
                "--user",
                "65534",
                "--group",
                "65534",
            ][..],
            "can't be joined",
        ),
    ] {
        let (said, output) = run(&program, privileges, jail, "echo started");
        assert!(said.contains(reason), "{said}");
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{output:?}"
        );
    }
}
