//! Which of the machine's files a sandbox sees, and who else can read what CodeFlow stores.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use crate::support::{HostProcess, data_dir, run};

/// A shell's answer to where a program is.
fn which(program: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn of_a_node_installed_in_a_home_folder_a_sandbox_sees_node_and_npm_only() {
    let (home, data) = (tempfile::tempdir().unwrap(), data_dir());
    let node = fs::canonicalize(which("node")).unwrap();
    for (prefix, with_npm) in [("", false), (".local", true)] {
        let at = |path: &str| home.path().join(prefix).join(path);
        fs::create_dir_all(at("bin")).unwrap();
        if fs::hard_link(&node, at("bin/node")).is_err() {
            fs::copy(&node, at("bin/node")).unwrap();
        }
        for secret in [
            "secret",
            "share/keyrings/secret",
            "lib/secret",
            "bin/secret",
            "lib/node_modules/mine/secret",
        ] {
            write(&at(secret), "the home's");
        }
        if with_npm {
            for (file, says) in [("npm-cli.js", "npm"), ("npx-cli.js", "npx")] {
                let script = format!("#!/usr/bin/env node\nconsole.log('{says} of the home')\n");
                write(&at("lib/node_modules/npm/bin").join(file), &script);
            }
        }
        let path = format!("{}:{}", at("bin").display(), env::var("PATH").unwrap());
        let env = [
            ("PATH", path.as_str()),
            ("HOME", home.path().to_str().unwrap()),
            ("SANDBOX_POOL_SIZE", "0"),
        ];
        let host = HostProcess::start(data.path(), &env);
        let warning = "npm is not beside this Node.js";
        if !with_npm {
            host.logged(warning).await;
        }
        let sandbox = host.create().await;
        let (code, said) = run(&sandbox, "command -v node && node -e 'console.log(6 * 7)'").await;
        assert_eq!((code, said.as_str()), (0, "/opt/node/bin/node\n42\n"));
        assert_eq!(host.log().contains(warning), !with_npm, "{}", host.log());
        let (_, seen) = run(
            &sandbox,
            "find /opt/node -type f | sort; find / -xdev -name secret 2>/dev/null; touch /opt/node/bin/x",
        )
        .await;
        let npm = "/opt/node/lib/node_modules/npm/bin/npm-cli.js\n/opt/node/lib/node_modules/npm/bin/npx-cli.js\n";
        let expected = format!("/opt/node/bin/node\n{}", if with_npm { npm } else { "" });
        assert!(seen.starts_with(&expected), "{seen}");
        assert!(
            !seen.contains("secret") && seen.contains("Read-only file system"),
            "{seen}"
        );
        if with_npm {
            assert_eq!(
                run(&sandbox, "npm; npx").await.1,
                "npm of the home\nnpx of the home\n"
            );
        }
        host.client.kill(sandbox.id()).await.unwrap();
    }
}

#[tokio::test]
async fn only_its_user_may_enter_the_data_folder_and_one_that_others_share_is_refused() {
    let data = data_dir();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let host = HostProcess::start(data.path(), &[("SANDBOX_POOL_SIZE", "0")]);
    assert_eq!(mode(data.path()), 0o700);
    // Sandboxes work all the same.
    let sandbox = host.create().await;
    assert_eq!(
        run(&sandbox, "cat index.html").await.1,
        "<h1>The template</h1>"
    );
    host.client.kill(sandbox.id()).await.unwrap();
    drop(host);

    let shared = tempfile::tempdir().unwrap();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    for command in ["sandbox-host", "serve", "migrate"] {
        let output = Command::new(env!("CARGO_BIN_EXE_codeflow"))
            .arg(command)
            .env("CODEFLOW_DATA_DIR", shared.path())
            .env("SANDBOX_HOST_ADDR", "127.0.0.1:0")
            .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
            .env("AI_PROVIDER", "demo")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let last = said.lines().last().unwrap();
        assert!(!output.status.success(), "{said}");
        assert!(
            last.starts_with(&format!(
                "codeflow: CODEFLOW_DATA_DIR={}: ",
                shared.path().display()
            )),
            "{last}"
        );
    }
    assert_eq!(mode(shared.path()), 0o1777);
    assert_eq!(fs::read_dir(shared.path()).unwrap().count(), 0);
}
