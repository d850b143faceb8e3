//! `codeflow setup`, for real, into the system of an empty folder: what it creates, that it does so
//! once, and that existing settings stay.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

const ENV_FILE: &str = "etc/codeflow/codeflow.env";
const NAMES: [&str; 4] = [
    "--domain",
    "build.codeflow.invalid",
    "--preview-domain",
    "preview.codeflow-apps.invalid",
];

/// A machine that has nothing yet but what its package manager installed.
struct System {
    root: TempDir,
    programs: TempDir,
}

impl System {
    fn new() -> Self {
        let system = Self {
            root: tempfile::tempdir().unwrap(),
            programs: tempfile::tempdir().unwrap(),
        };
        for (name, version) in [
            ("runc", "runc version 1.1.15"),
            ("node", "v22.4.0"),
            ("npm", "10"),
        ] {
            system.install(name, version);
        }
        system
    }

    /// A program that prints this as its version.
    fn install(&self, name: &str, version: &str) {
        let program = self.programs.path().join(name);
        fs::write(&program, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    fn setup(&self, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/sbin:/usr/bin:/bin", self.programs.path().display());
        Command::new(env!("CARGO_BIN_EXE_codeflow"))
            .args(["setup", "--without-template", "--root"])
            .arg(self.root.path())
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Everything below the root by its path: mode, owner, size, inode, and when it was changed.
    fn tree(&self) -> BTreeMap<String, (u32, u32, u64, u64, i64, i64)> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let found = fs::symlink_metadata(&path).unwrap();
                if found.is_dir() {
                    folders.push(path.clone());
                }
                let name = path.strip_prefix(self.root.path()).unwrap();
                tree.insert(
                    name.display().to_string(),
                    (
                        found.mode() & 0o7777,
                        found.uid(),
                        found.len(),
                        found.ino(),
                        found.mtime(),
                        found.mtime_nsec(),
                    ),
                );
            }
        }
        tree
    }
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// The line about the subject.
fn line<'a>(report: &'a str, subject: &str) -> &'a str {
    let found = report
        .lines()
        .find(|line| line.contains(&format!(" {subject}: ")));
    found.unwrap_or_else(|| panic!("nothing about {subject} in {report}"))
}

#[test]
fn an_empty_system_becomes_a_server_and_a_second_time_nothing_changes() {
    let system = System::new();
    let dry = system.setup(
        &[&NAMES[..], &["--dry-run"]].concat(),
        &[("AI_PROVIDER", "demo")],
    );
    let said = text(&dry.stdout);
    assert!(line(&said, ENV_FILE_SHOWN).starts_with("would"), "{said}");
    assert!(
        said.contains("Nothing was changed; 7 things are to do."),
        "{said}"
    );
    assert!(system.tree().is_empty());

    let first = system.setup(&NAMES, &[("AI_PROVIDER", "demo")]);
    let said = text(&first.stdout);
    assert!(first.status.success(), "{said}{}", text(&first.stderr));
    assert!(line(&said, "OCI runtime").starts_with("ok       OCI runtime: runc version 1.1.15"));
    for done in [
        "program",
        "/etc/codeflow",
        "/var/lib/codeflow",
        "user codeflow",
        ENV_FILE_SHOWN,
        "unit codeflow.service",
        "/etc/codeflow/Caddyfile",
    ] {
        assert!(line(&said, done).starts_with("done "), "{said}");
    }
    assert!(line(&said, "DNS").contains("*.preview.codeflow-apps.invalid lead to this machine"));

    let tree = system.tree();
    for (path, mode) in [
        ("usr/local/bin/codeflow", 0o755),
        ("etc/codeflow", 0o700),
        ("var/lib/codeflow", 0o700),
        (ENV_FILE, 0o600),
        ("etc/systemd/system/codeflow.service", 0o644),
        ("etc/subuid", 0o644),
        ("etc/subgid", 0o644),
        ("etc/codeflow/Caddyfile", 0o644),
    ] {
        assert_eq!(tree.get(path).map(|found| found.0), Some(mode), "{path}");
    }
    let read = |path: &str| fs::read_to_string(system.path(path)).unwrap();
    let settings = read(ENV_FILE);
    for setting in [
        "CODEFLOW_ENV=production",
        "PUBLIC_URL=https://build.codeflow.invalid",
        "SANDBOX_DOMAIN=preview.codeflow-apps.invalid",
        "AI_PROVIDER=demo",
    ] {
        assert!(settings.lines().any(|line| line == setting), "{settings}");
    }
    let caddyfile = read("etc/codeflow/Caddyfile");
    assert!(caddyfile.contains("\nbuild.codeflow.invalid {") && !caddyfile.contains("example"));
    assert!(caddyfile.contains("\n*.preview.codeflow-apps.invalid {"));
    assert!(
        read("etc/passwd").contains("codeflow:") && read("etc/subuid").contains(":100000:65536")
    );

    let second = system.setup(&[], &[]);
    let said = text(&second.stdout);
    assert!(second.status.success(), "{said}{}", text(&second.stderr));
    assert!(said.ends_with("Nothing was changed.\n"), "{said}");
    assert_eq!(system.tree(), tree);
}

const ENV_FILE_SHOWN: &str = "/etc/codeflow/codeflow.env";

#[test]
fn what_somebody_has_set_stays_and_only_what_is_missing_is_added() {
    let system = System::new();
    let own = "# Ours\nPUBLIC_URL=\"https://ours.codeflow.invalid\"\nGEMINI_API_KEY=kept\n\
               SIGN_UP=closed\n";
    fs::create_dir_all(system.path("etc/codeflow")).unwrap();
    fs::write(system.path(ENV_FILE), own).unwrap();
    fs::write(system.path("etc/subuid"), "somebody:100000:65536\n").unwrap();
    let done = system.setup(&NAMES, &[("OPENAI_API_KEY", "another")]);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    let settings = fs::read_to_string(system.path(ENV_FILE)).unwrap();
    assert_eq!(
        settings,
        format!("{own}SANDBOX_DOMAIN=preview.codeflow-apps.invalid\n")
    );
    assert_eq!(system.tree()[ENV_FILE].0, 0o600);
    assert_eq!(system.tree()["etc/codeflow"].0, 0o700);
    let kept = "PUBLIC_URL=https://ours.codeflow.invalid is kept";
    assert!(said.contains(kept), "{said}");
    let ids = fs::read_to_string(system.path("etc/subuid")).unwrap();
    assert_eq!(ids, "somebody:100000:65536\n");

    // A unit that an administrator changed.
    let unit = system.path("etc/systemd/system/codeflow.service");
    fs::write(&unit, "[Service]\nExecStart=/opt/codeflow serve\n").unwrap();
    let before = system.tree();
    let again = text(&system.setup(&[], &[]).stdout);
    assert!(
        line(&again, "unit codeflow.service").starts_with("advice "),
        "{again}"
    );
    assert!(again.ends_with("Nothing was changed.\n"), "{again}");
    assert_eq!(system.tree(), before);
}

#[test]
fn what_only_a_person_can_do_is_said_and_a_name_that_is_none_changes_nothing() {
    let system = System::new();
    for (flag, name) in [
        ("--domain", "https://build.example.com"),
        ("--domain", "localhost"),
        ("--preview-domain", "192.0.2.1"),
        ("--preview-domain", "preview example"),
    ] {
        let refused = system.setup(&[flag, name], &[]);
        let said = text(&refused.stderr);
        let start = format!("codeflow: {flag}={name}: a host name that people can reach");
        assert!(
            !refused.status.success() && said.starts_with(&start),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let refused = system.setup(&NAMES, &[("OPENAI_API_KEY", "two words")]);
    let said = text(&refused.stderr);
    assert!(
        said.starts_with("codeflow: OPENAI_API_KEY=(not shown): "),
        "{said}"
    );
    assert!(system.tree().is_empty());

    system.install("node", "v18.20.4");
    let left = system.setup(&[], &[]);
    let said = text(&left.stdout);
    let lines = text(&left.stderr);
    assert!(!left.status.success());
    assert_eq!(
        lines,
        "codeflow: 2 things are left to do by hand; then run codeflow setup again\n"
    );
    let node = line(&said, "Node.js");
    assert!(
        node.starts_with("by hand  Node.js: v18.20.4 is too old"),
        "{said}"
    );
    for unsaid in [
        "--domain build",
        "--preview-domain preview",
        "OPENAI_API_KEY=…",
    ] {
        assert!(
            line_by_hand(&said, ENV_FILE_SHOWN).contains(unsaid),
            "{said}"
        );
    }
    // What is there is the package's, and the next run goes on from it.
    let settings = fs::read_to_string(system.path(ENV_FILE)).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/codeflow.env");
    assert_eq!(settings, fs::read_to_string(ours).unwrap());
    system.install("node", "v20.9.0");
    let done = system.setup(&NAMES, &[("OPENAI_API_KEY", "sk-test")]);
    assert!(done.status.success(), "{}", text(&done.stdout));
    let settings = fs::read_to_string(system.path(ENV_FILE)).unwrap();
    assert!(
        settings.contains("\nOPENAI_API_KEY=sk-test\n"),
        "{settings}"
    );
    assert!(!text(&done.stdout).contains("sk-test"));
}

/// The line that says what to do about the subject.
fn line_by_hand<'a>(report: &'a str, subject: &str) -> &'a str {
    let start = format!("by hand  {subject}: ");
    let found = report.lines().find(|line| line.starts_with(&start));
    found.unwrap_or_else(|| panic!("nothing to do about {subject} in {report}"))
}
