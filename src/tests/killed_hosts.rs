//! The next server on the machine, with any data folder, and `codeflow doctor` remove what a killed
//! server left running. A living server's containers are never touched.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::{HostProcess, data_dir, in_own_mounts, run};

/// What the server of a data folder has on the machine: its folder in `/run`, which may be
/// redirected here, and the control groups of its containers.
struct Traces {
    folder: PathBuf,
    groups: Vec<PathBuf>,
}

impl Traces {
    fn of(data: &Path, run: &Path) -> Self {
        let folders = fs::read_dir(run)
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let mut notes = folders.filter_map(|folder| {
            let note: Value =
                serde_json::from_slice(&fs::read(folder.join("host.json")).ok()?).ok()?;
            let state = Path::new(note["state"].as_str()?);
            state.starts_with(data).then(|| (folder, note.clone()))
        });
        let (folder, note) = notes.next().expect("the server has a note");
        let group = note["cgroup"]
            .as_str()
            .unwrap()
            .trim_start_matches('/')
            .to_owned();
        let roots = fs::read_dir("/sys/fs/cgroup")
            .unwrap()
            .flatten()
            .map(|root| root.path());
        let groups = roots
            .chain(["/sys/fs/cgroup".into()])
            .map(|root: PathBuf| root.join(&group));
        Self {
            folder,
            groups: groups.filter(|group| group.is_dir()).collect(),
        }
    }

    /// Whether containers have groups, and whether anything is there at all.
    fn are_there(&self) -> (bool, bool) {
        let has_child = |group: &PathBuf| {
            let mut entries = fs::read_dir(group).into_iter().flatten().flatten();
            entries.any(|entry| entry.path().is_dir())
        };
        let there = self.folder.exists() || self.groups.iter().any(|group| group.exists());
        (self.groups.iter().any(has_child), there)
    }
}

const NO_POOL: (&str, &str) = ("SANDBOX_POOL_SIZE", "0");

#[tokio::test]
async fn what_a_killed_server_left_goes_at_the_next_start_and_a_living_servers_stays() {
    let (first, second, third) = (data_dir(), data_dir(), data_dir());
    let living = HostProcess::start(first.path(), &[NO_POOL]);
    let kept = living.create().await;
    let killed = HostProcess::start(second.path(), &[NO_POOL]);
    killed.create().await;
    let (of_living, of_killed) = (
        Traces::of(first.path(), Path::new("/run")),
        Traces::of(second.path(), Path::new("/run")),
    );
    assert_eq!(of_killed.are_there(), (true, true));
    killed.kill();
    // No server will ever work there again.
    second.close().unwrap();

    let _next = HostProcess::start(third.path(), &[NO_POOL]);
    assert_eq!(of_killed.are_there(), (false, false));
    assert_eq!(of_living.are_there(), (true, true));
    assert_eq!(run(&kept, "echo lives").await.1, "lives\n");
}

#[tokio::test]
async fn the_doctor_removes_what_a_killed_server_of_its_folder_left() {
    let (data, machine) = (data_dir(), tempfile::tempdir().unwrap());
    // Other tests' servers see another `/run`, and leave this one alone.
    let codeflow = |arguments: &str| {
        let mut command = in_own_mounts();
        command.arg(format!(
            "mount --bind {} /run && exec {} {arguments}",
            machine.path().display(),
            env!("CARGO_BIN_EXE_codeflow")
        ));
        command
            .env("CODEFLOW_DATA_DIR", data.path())
            .env(NO_POOL.0, NO_POOL.1);
        command
    };
    let said = |mut command: Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    said(codeflow("migrate"));
    let host = HostProcess::of(&mut codeflow("sandbox-host"));
    let sandbox = host.create().await;
    let traces = Traces::of(data.path(), machine.path());
    let named = "are of a server that was killed";
    assert!(!said(codeflow("doctor")).contains(named), "it lives");
    assert_eq!(run(&sandbox, "echo lives").await.1, "lives\n");
    host.kill();

    let report = said(codeflow("doctor"));
    assert!(
        report.contains(&format!("{named}: would be removed")),
        "{report}"
    );
    assert_eq!(traces.are_there(), (true, true));
    let report = said(codeflow("doctor --fix"));
    assert!(report.contains(&format!("{named}: removed")), "{report}");
    assert_eq!(traces.are_there(), (false, false));
    assert!(!said(codeflow("doctor")).contains(named));
}
