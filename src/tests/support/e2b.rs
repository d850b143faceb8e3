//! A scripted E2B service: the real one's answers, including odd ones, byte by byte over TCP.

mod envd;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use codeflow::{
    config,
    sandbox::{Client, Sandbox, SandboxError},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::PATIENCE;

/// The sandbox that the scripts speak of.
pub const SANDBOX: &str = "i62mff4ahtrdfdkyn2esc";

/// One answer of the service.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    /// What is sent in one chunk each.
    pieces: Vec<Vec<u8>>,
    end: End,
    act: Option<Act>,
}

/// What an answer does for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Start,
    Signal,
}

/// How the connection ends after an answer's last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    /// Closed where more was announced.
    Cut,
    Reset,
}

impl Answer {
    pub fn json(status: u16, body: Value) -> Self {
        Self::new(
            status,
            "application/json; charset=utf-8",
            vec![body.to_string().into_bytes()],
        )
    }

    pub fn html(status: u16) -> Self {
        let page = "<!DOCTYPE html><html><body><h1>cloud edge</h1></body></html>";
        Self::new(status, "text/html", vec![page.as_bytes().to_vec()])
    }

    /// A stream of frames, in pieces of any size.
    pub fn stream(pieces: impl Into<Vec<Vec<u8>>>) -> Self {
        Self::new(200, "application/connect+json", pieces.into())
    }

    /// The connection ends before any answer.
    pub fn lost() -> Self {
        Self::new(0, "", Vec::new())
    }

    /// The data plane's proxy: nothing of that name runs.
    pub fn gone() -> Self {
        let body =
            json!({ "sandboxId": SANDBOX, "message": "The sandbox was not found", "code": 502 });
        Self::json(502, body)
    }

    /// The answer to create and connect.
    pub fn sandbox(status: u16) -> Self {
        let body = json!({
            "templateID": "rki5dems9wqfm4r03t7g", "sandboxID": SANDBOX, "clientID": "6532622b", "envdVersion": "0.9.1",
            "envdAccessToken": "tok123", "trafficAccessToken": null, "domain": null, "alias": "nextjs",
        });
        Self::json(status, body)
    }

    fn new(status: u16, kind: &str, pieces: Vec<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", kind.to_owned())],
            pieces,
            end: End::Whole,
            act: None,
        }
    }

    fn that(mut self, act: Act) -> Self {
        self.act = Some(act);
        self
    }

    pub fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }

    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// A message of a stream.
pub fn message(message: Value) -> Vec<u8> {
    frame(0, &message.to_string())
}

/// A stream's last frame.
pub fn end_of_stream(message: Value) -> Vec<u8> {
    frame(2, &message.to_string())
}

pub fn frame(flags: u8, message: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[flags], &length.to_be_bytes()[..], message.as_bytes()].concat()
}

/// A request's method and path with its query, and all of its head and body.
type Request = (String, String);

/// A request, and its body.
struct Asked {
    request: Request,
    body: Vec<u8>,
}

/// A running service that answers each method and path as scripted, repeating the last answer.
pub struct E2b {
    pub client: Client,
    requests: Arc<Mutex<Vec<Request>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl E2b {
    pub async fn start(script: impl IntoIterator<Item = (&'static str, Vec<Answer>)>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    pub fn on(
        listener: TcpListener,
        script: impl IntoIterator<Item = (&'static str, Vec<Answer>)>,
    ) -> Self {
        let client = client(&format!("http://{}", listener.local_addr().unwrap()));
        let mut answers: HashMap<String, VecDeque<Answer>> = HashMap::from([
            (
                "POST /v2/sandboxes".to_owned(),
                VecDeque::from([Answer::sandbox(201)]),
            ),
            (
                "POST /process.Process/SendSignal".to_owned(),
                VecDeque::from([Answer::json(200, json!({}))]),
            ),
        ]);
        answers.extend(
            script
                .into_iter()
                .map(|(asked, answers)| (asked.to_owned(), answers.into())),
        );
        let (answers, requests) = (
            Arc::new(Mutex::new(answers)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let seen = requests.clone();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answers.clone(), seen.clone()));
            }
        });
        Self {
            client,
            requests,
            serving,
        }
    }

    /// A service that really runs the commands, on this machine, as E2B's does.
    pub async fn running() -> Self {
        let (start, signal) = (Answer::stream([]), Answer::json(200, json!({})));
        Self::start([
            ("POST /process.Process/Start", vec![start.that(Act::Start)]),
            (
                "POST /process.Process/SendSignal",
                vec![signal.that(Act::Signal)],
            ),
        ])
        .await
    }

    /// The scripted sandbox.
    pub async fn sandbox(&self) -> Sandbox {
        self.client.create(PATIENCE, &HashMap::new()).await.unwrap()
    }

    /// Why it makes no sandbox.
    pub async fn refusal(&self) -> SandboxError {
        self.client
            .create(PATIENCE, &HashMap::new())
            .await
            .unwrap_err()
    }

    /// The requests whose method and path this is, as text.
    pub fn asked(&self, what: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|(asked, _)| asked.split('?').next() == Some(what))
            .map(|(_, text)| text.clone())
            .collect()
    }
}

impl Drop for E2b {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client of the service at this address.
pub fn client(url: &str) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut settings = config::Sandbox::of_host(url, "e2b_0000", "e2b.app");
    settings.provider = config::SandboxProvider::E2b;
    Client::new(settings).unwrap()
}

/// One request and its answer.
async fn serve(
    mut stream: TcpStream,
    answers: Arc<Mutex<HashMap<String, VecDeque<Answer>>>>,
    seen: Arc<Mutex<Vec<Request>>>,
) {
    let Some(Asked { request, body }) = request(&mut stream).await else {
        return;
    };
    let asked = request.0.clone();
    let answer = {
        let mut answers = answers.lock().unwrap();
        match answers.get_mut(asked.split('?').next().unwrap_or_default()) {
            Some(due) if due.len() > 1 => due.pop_front(),
            Some(due) => due.front().cloned(),
            None => None,
        }
    };
    let unscripted = || {
        Answer::json(
            500,
            json!({ "code": 500, "message": format!("nothing is scripted for {asked}") }),
        )
    };
    let answer = answer.unwrap_or_else(unscripted);
    seen.lock().unwrap().push(request);
    if answer.act == Some(Act::Signal) {
        envd::signal(&body);
    }
    // A client that has heard enough hangs up.
    let _ = write(&mut stream, &answer, &body).await;
    if answer.end == End::Reset {
        stream.set_zero_linger().unwrap();
    }
}

async fn request(stream: &mut TcpStream) -> Option<Asked> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let announced: Option<usize> = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            let body = &bytes[end + 4..];
            if body.len() >= announced.unwrap_or(0) {
                let asked = head.split(" HTTP/").next().unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Some(Asked {
                    request: (asked.to_owned(), text),
                    body: body.to_vec(),
                });
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

async fn write(stream: &mut TcpStream, answer: &Answer, body: &[u8]) -> std::io::Result<()> {
    if answer.status == 0 {
        return Ok(());
    }
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\nconnection: close\r\n",
        answer.status
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for piece in &answer.pieces {
        write_chunk(stream, piece).await?;
        tokio::task::yield_now().await;
    }
    if answer.act == Some(Act::Start) {
        envd::start(stream, body).await?;
    }
    if answer.end == End::Whole {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    stream.flush().await
}

async fn write_chunk(stream: &mut TcpStream, piece: &[u8]) -> std::io::Result<()> {
    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    stream.write_all(&chunk).await
}
