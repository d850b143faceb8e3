//! The commands that show and remove templates.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::json;

use crate::support::{ControlPlane, HostProcess, data_dir};

fn template(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeflow"));
    command
        .arg("template")
        .args(arguments)
        .env("CODEFLOW_DATA_DIR", data);
    command.output().unwrap()
}

/// The lines of the list, their columns apart.
fn list(data: &Path) -> Vec<Vec<String>> {
    let output = template(data, &["list"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let columns = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|column| !column.is_empty())
            .map(str::to_owned)
            .collect()
    };
    text.lines().skip(1).map(columns).collect()
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn templates_are_listed_and_one_that_sandboxes_need_is_not_removed() {
    let data = data_dir();
    assert_eq!(
        list(data.path()),
        [
            ["base", "not built", "0"],
            ["nextjs", "built from older sources", "0"]
        ]
    );
    let said = refusal(&template(data.path(), &["remove", "base"]));
    assert!(said.contains("'base' is not built"), "{said}");
    for path in ["..", "../templates", ""] {
        refusal(&template(data.path(), &["remove", path]));
    }

    let host = HostProcess::start(data.path(), &[("SANDBOX_POOL_SIZE", "0")]);
    let sandbox = host.create().await;
    let said = refusal(&template(data.path(), &["remove", "nextjs"]));
    assert!(said.contains("codeflow is running"), "{said}");
    assert_eq!(host.pause(sandbox.id(), json!({})).await, 204);
    drop(host);

    assert_eq!(list(data.path())[1][2], "1");
    let said = refusal(&template(data.path(), &["remove", "nextjs"]));
    assert!(
        said.contains("'nextjs' is in use by 1 sandbox; kill it first"),
        "{said}"
    );
    let host = HostProcess::start(data.path(), &[("SANDBOX_POOL_SIZE", "0")]);
    host.client.kill(sandbox.id()).await.unwrap();
    drop(host);
    assert!(
        template(data.path(), &["remove", "nextjs"])
            .status
            .success()
    );
    assert_eq!(list(data.path())[1], ["nextjs", "not built", "0"]);
}

#[test]
fn a_template_is_not_removed_while_one_is_built_nor_built_while_one_is_removed() {
    let data = data_dir();
    let lock = std::fs::File::create(data.path().join("templates/.lock")).unwrap();
    lock.lock().unwrap();
    for (arguments, work) in [
        (["remove", "nextjs"], "building template nextjs"),
        (["build", "nextjs"], "removing template nextjs"),
        (["build", "base"], "building template nextjs"),
    ] {
        std::fs::write(data.path().join("templates/.lock"), work).unwrap();
        let said = refusal(&template(data.path(), &arguments));
        let last = said.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("codeflow: another codeflow is {work} in")),
            "{arguments:?}: {said}"
        );
        assert!(data.path().join("templates/nextjs/current").exists());
    }
    // Closing it is not enough: a child that another test forks has it open until its program
    // begins.
    lock.unlock().unwrap();
    assert!(
        template(data.path(), &["remove", "nextjs"])
            .status
            .success()
    );
}
