//! A PostgreSQL server for one test, in a temporary folder.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

use super::until;

/// Who runs it when the test is root, which PostgreSQL refuses to be.
const NOBODY: u32 = 65_534;

/// A running server; when dropped, it is stopped and waited for.
pub struct Postgres {
    child: Child,
    /// For `DATABASE_URL`.
    pub url: String,
    _folder: tempfile::TempDir,
}

impl Postgres {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts it with further settings, each as `name=value`.
    pub async fn start_with(settings: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if geteuid().is_root() {
            for path in [folder.path(), &data] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let made = command("initdb")
            .args(["--auth=trust", "--username=codeflow", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
            ])
            .arg(format!(
                "unix_socket_directories={}",
                folder.path().display()
            ))
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("PostgreSQL answers", async || {
            let mut ready = command("pg_isready");
            ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            ready.status().unwrap().success().then_some(())
        })
        .await;
        Self {
            child,
            url: format!("postgres://codeflow@127.0.0.1:{port}/postgres"),
            _folder: folder,
        }
    }

    /// A session of its own that has executed these statements, in which a transaction may be open.
    /// It ends with its standard input.
    pub fn session(&self, statements: &str) -> Child {
        let mut session = command("psql")
            .args(["-qAt", "-d", &self.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = session.stdin.as_mut().unwrap();
        writeln!(input, "{statements};\n\\echo executed").unwrap();
        input.flush().unwrap();
        let mut lines = BufReader::new(session.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "executed"));
        session
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Ends its connections and stops.
        let _ = kill(
            Pid::from_raw(self.child.id().try_into().unwrap()),
            Signal::SIGINT,
        );
        let _ = self.child.wait();
    }
}

/// One of its programs, as a user that it accepts.
fn command(program: &str) -> Command {
    let program = find(program);
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([
        &format!("--reuid={NOBODY}"),
        &format!("--regid={NOBODY}"),
        "--clear-groups",
    ]);
    command.arg(program).current_dir("/");
    command
}

/// Debian keeps its programs where no `PATH` looks.
fn find(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(program))
        .collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| Path::new(program).to_owned())
}
