//! Headless Chromium for one check: a process and a profile of its own, driven over a pipe (chromedevtools.github.io/devtools-protocol),
//! which ends with the pipe. The pages it loads are code that nobody has read, so it keeps its own sandbox, runs as a user without
//! rights where we are root, and reaches the app's host name and nothing else.

use std::{
    collections::VecDeque,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use command_fds::{CommandFdExt, FdMapping};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::unix::pipe,
    process::{Child, Command},
};
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead, FramedWrite};

use crate::sandbox::PageAddress;

/// How long the browser may take to start, on a busy machine.
const START: Duration = Duration::from_secs(30);
/// The longest message that is read, in bytes: a screenshot is the largest. Longer ones are what pages write on the console.
const MAX_MESSAGE: usize = 16 << 20;
/// How many events are kept until somebody asks for them, and how much of each text and list in them: a page decides how many it makes.
const MAX_EVENTS: usize = 1000;
const MAX_TEXT: usize = 4096;
const MAX_LIST: usize = 16;
/// The window, in pixels.
const WINDOW: (u32, u32) = (1280, 800);
/// Where the visitor is: what only fits the sandbox's own clock and language would fail for most.
const TIME_ZONE: &str = "Asia/Tokyo";
const LOCALE: &str = "de-DE";
/// Which processes go first when memory runs out, up to 1000 (proc_pid_oom_score_adj(5)).
const OOM_SCORE: &str = "800";
/// How long it may take to end by itself.
const END: Duration = Duration::from_secs(3);
/// What the folders' names begin with in the system's folder for temporary files; the server's process id follows.
const FOLDER: &str = "codeflow-browser-";
/// How often its folder is tried to be removed, and how long is waited between.
const REMOVALS: usize = 40;
const REMOVE_AGAIN: Duration = Duration::from_millis(250);

/// Why the browser did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// There is none, or it has no way to the app: nothing was seen of any page.
    #[error("{0}")]
    Unusable(String),
    /// It refused.
    #[error("{0}")]
    Failed(String),
    /// It did not answer in time; a page that computes for ever keeps its tab from answering.
    #[error("the browser did not answer in time")]
    Silent,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A running browser with one page.
pub struct Browser {
    child: Child,
    sent: FramedWrite<pipe::Sender, AnyDelimiterCodec>,
    received: FramedRead<pipe::Receiver, AnyDelimiterCodec>,
    last_id: u64,
    /// The page's session; the browser's own before there is one.
    session: Option<String>,
    /// Events that came while an answer was awaited.
    events: VecDeque<Event>,
    /// Whether the message before was too long: the reader then says once that it ended.
    skipped: bool,
    profile: Profile,
}

/// The browser's folder. Its processes may write into it for a moment after they were told to end, so it is removed until it is gone.
struct Profile(PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        let folder = std::mem::take(&mut self.0);
        if !is_removed(&folder) {
            std::thread::spawn(move || remove_until_gone(&folder));
        }
    }
}

/// Removes the folder; whether it is gone.
fn is_removed(folder: &Path) -> bool {
    let removed = std::fs::remove_dir_all(folder);
    removed.is_ok() || removed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn remove_until_gone(folder: &Path) {
    for _ in 0..REMOVALS {
        if is_removed(folder) {
            break;
        }
        std::thread::sleep(REMOVE_AGAIN);
    }
}

/// Removes what browsers left whose servers were killed in the middle of a check. To be called before this process starts one: in a
/// container the server before had the same process id.
pub fn sweep(temporary: &Path) {
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let server = name
            .to_str()
            .and_then(|name| name.strip_prefix(FOLDER)?.split_once('-')?.0.parse().ok());
        let own = i32::try_from(std::process::id()).ok();
        let is_gone = |server| {
            Some(server) == own || nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), None) == Err(nix::errno::Errno::ESRCH)
        };
        if server.is_some_and(is_gone) {
            is_removed(&entry.path());
        }
    }
}

/// Something that happened in the page.
#[derive(Debug)]
pub struct Event {
    pub method: String,
    pub params: Value,
}

impl Browser {
    /// Starts the program with an empty page; an error says that it can't be used.
    pub async fn start(program: &Path, address: &PageAddress) -> Result<Self, BrowserError> {
        let started = tokio::time::timeout(START, Self::launch(program, address)).await;
        started
            .unwrap_or_else(|_| {
                let seconds = START.as_secs();
                Err(BrowserError::Unusable(format!("it did not start within {seconds} seconds")))
            })
            .map_err(|error| match error {
                BrowserError::Unusable(_) => error,
                error => BrowserError::Unusable(format!("it does not start ({error})")),
            })
    }

    async fn launch(program: &Path, address: &PageAddress) -> Result<Self, BrowserError> {
        let name = format!("{FOLDER}{}-", std::process::id());
        let profile = Profile(tempfile::Builder::new().prefix(&name).tempdir()?.keep());
        let (from_us, to_browser) = io::pipe()?;
        let (from_browser, to_us) = io::pipe()?;
        let mut command = Command::new(program);
        command
            .args([
                "--headless",
                "--remote-debugging-pipe",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
                "--disable-default-apps",
                "--no-first-run",
                "--no-default-browser-check",
                "--no-proxy-server",
                "--mute-audio",
                "--hide-scrollbars",
                "--webrtc-ip-handling-policy=disable_non_proxied_udp",
            ])
            .arg(format!("--host-resolver-rules={}", resolver_rules(address)))
            .arg(format!("--user-data-dir={}", profile.0.display()))
            .arg("about:blank")
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", &profile.0)
            .env("TMPDIR", &profile.0)
            .current_dir(&profile.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .fd_mappings(vec![mapping(OwnedFd::from(from_us), 3), mapping(OwnedFd::from(to_us), 4)])
            .map_err(|error| BrowserError::Unusable(error.to_string()))?;
        if nix::unistd::geteuid().is_root() {
            let nobody = nix::unistd::User::from_name("nobody").ok().flatten();
            let nobody = nobody.ok_or_else(|| BrowserError::Unusable("there is no user “nobody” to run the browser as".to_owned()))?;
            nix::unistd::chown(&profile.0, Some(nobody.uid), Some(nobody.gid)).map_err(io::Error::from)?;
            command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
        }
        let child = command.spawn()?;
        if let Some(id) = child.id() {
            // Only Linux has it, and the browser works without.
            let _ = std::fs::write(format!("/proc/{id}/oom_score_adj"), OOM_SCORE);
        }
        // Its ends are the child's alone: when it ends, so do the pipes.
        drop(command);
        let ends = AnyDelimiterCodec::new_with_max_length(vec![0], vec![0], MAX_MESSAGE);
        let mut browser = Self {
            child,
            sent: FramedWrite::new(pipe::Sender::from_owned_fd(OwnedFd::from(to_browser))?, ends.clone()),
            received: FramedRead::new(pipe::Receiver::from_owned_fd(OwnedFd::from(from_browser))?, ends),
            last_id: 0,
            session: None,
            events: VecDeque::new(),
            skipped: false,
            profile,
        };
        browser.open_page().await?;
        Ok(browser)
    }

    async fn open_page(&mut self) -> Result<(), BrowserError> {
        // Such a context keeps what pages store in memory, and little of it.
        let context = self.call("Target.createBrowserContext", json!({}), START).await?;
        let context = &context["browserContextId"];
        let downloads = json!({ "behavior": "deny", "browserContextId": context });
        self.call("Browser.setDownloadBehavior", downloads, START).await?;
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let page = self.call("Target.createTarget", target, START).await?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", attach, START).await?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network", "Inspector"] {
            self.call(&format!("{domain}.enable"), json!({}), START).await?;
        }
        let (width, height) = WINDOW;
        for (what, how) in [
            (
                "DeviceMetrics",
                json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
            ),
            ("Timezone", json!({ "timezoneId": TIME_ZONE })),
            ("Locale", json!({ "locale": LOCALE })),
        ] {
            self.call(&format!("Emulation.set{what}Override"), how, START).await?;
        }
        Ok(())
    }

    /// Asks for something of the page, and returns the answer.
    pub async fn call(&mut self, method: &str, params: Value, patience: Duration) -> Result<Value, BrowserError> {
        let id = self.send(method, params).await?;
        let deadline = Instant::now() + patience;
        loop {
            let Some(message) = self.receive(deadline).await? else {
                return Err(BrowserError::Silent);
            };
            if message["id"] == id {
                return match message["error"]["message"].as_str() {
                    Some(error) => Err(BrowserError::Failed(format!("{method}: {error}"))),
                    None => Ok(message["result"].clone()),
                };
            }
            self.keep(message).await?;
        }
    }

    /// Asks for something, and returns the id that its answer will have.
    async fn send(&mut self, method: &str, params: Value) -> Result<u64, BrowserError> {
        self.last_id += 1;
        let mut request = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.sent.send(request.to_string()).await.map_err(ended)?;
        Ok(self.last_id)
    }

    /// Keeps an event until it is asked for.
    async fn keep(&mut self, message: Value) -> Result<(), BrowserError> {
        let Some(event) = event(message) else {
            return Ok(());
        };
        if event.method == "Page.javascriptDialogOpening" {
            // The page waits for it, and answers nothing meanwhile.
            self.send("Page.handleJavaScriptDialog", json!({ "accept": true })).await?;
        } else if self.events.len() < MAX_EVENTS || event.method.starts_with("Page.") || event.method.starts_with("Inspector.") {
            self.events.push_back(event);
        }
        Ok(())
    }

    /// The next event; `None` when none came in time.
    pub async fn next_event(&mut self, deadline: Instant) -> Result<Option<Event>, BrowserError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let Some(message) = self.receive(deadline).await? else {
                return Ok(None);
            };
            self.keep(message).await?;
        }
    }

    async fn receive(&mut self, deadline: Instant) -> Result<Option<Value>, BrowserError> {
        loop {
            let Ok(message) = tokio::time::timeout_at(deadline.into(), self.received.next()).await else {
                return Ok(None);
            };
            let skipped = std::mem::take(&mut self.skipped);
            match message {
                Some(Ok(message)) => {
                    let message = serde_json::from_slice(&message).map_err(io::Error::from)?;
                    return Ok(Some(message));
                }
                Some(Err(AnyDelimiterCodecError::MaxChunkLengthExceeded)) => self.skipped = true,
                Some(Err(error)) => return Err(ended(error)),
                None if skipped => {}
                None => return Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            }
        }
    }

    /// Ends it, and waits until it has and its folder is gone.
    pub async fn stop(self) {
        let Self {
            mut child,
            sent,
            received,
            profile,
            ..
        } = self;
        // It ends with its pipe, and with it the processes it has started.
        drop((sent, received));
        if tokio::time::timeout(END, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
        let _ = tokio::task::spawn_blocking(move || remove_until_gone(&profile.0)).await;
    }
}

fn mapping(parent_fd: OwnedFd, child_fd: i32) -> FdMapping {
    FdMapping { parent_fd, child_fd }
}

fn event(mut message: Value) -> Option<Event> {
    let method = message["method"].as_str()?.to_owned();
    let mut params = message["params"].take();
    shorten(&mut params);
    Some(Event { method, params })
}

/// Cuts long texts and lists.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(end);
                text.shrink_to_fit();
            }
        }
        Value::Array(list) => {
            list.truncate(MAX_LIST);
            list.iter_mut().for_each(shorten);
        }
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn ended(error: AnyDelimiterCodecError) -> BrowserError {
    BrowserError::Io(io::Error::other(error.to_string()))
}

/// Which host names lead where: the app's to its data plane, any port of it, and all others nowhere.
fn resolver_rules(address: &PageAddress) -> String {
    match &address.connect_to {
        Some(authority) => format!("MAP {} {authority}, MAP * ~NOTFOUND", address.host),
        None => format!("MAP * ~NOTFOUND, EXCLUDE {}", address.host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_app_s_own_host_leads_anywhere() {
        let mut address = PageAddress {
            url: "http://3000-a.localhost:3000".to_owned(),
            host: "3000-a.localhost".to_owned(),
            connect_to: Some("127.0.0.1:4000".to_owned()),
        };
        assert_eq!(resolver_rules(&address), "MAP 3000-a.localhost 127.0.0.1:4000, MAP * ~NOTFOUND");
        address.connect_to = None;
        assert_eq!(resolver_rules(&address), "MAP * ~NOTFOUND, EXCLUDE 3000-a.localhost");
    }

    #[test]
    fn folders_of_servers_that_are_gone_are_removed_and_no_others() -> io::Result<()> {
        let temporary = tempfile::tempdir()?;
        let gone = std::process::Command::new("true").spawn().and_then(|mut child| {
            child.wait()?;
            Ok(child.id())
        })?;
        let kept = [
            format!("{FOLDER}{}-a", std::os::unix::process::parent_id()),
            format!("{FOLDER}x-a"),
            format!("other-{gone}-a"),
        ];
        let left = [gone, std::process::id()].map(|server| format!("{FOLDER}{server}-a"));
        for name in kept.iter().chain(&left) {
            std::fs::create_dir_all(temporary.path().join(name).join("Default"))?;
        }
        sweep(temporary.path());
        assert!(left.iter().all(|name| !temporary.path().join(name).exists()));
        assert!(kept.iter().all(|name| temporary.path().join(name).is_dir()));
        Ok(())
    }
}
