//! An S3-compatible service in memory with one bucket. It checks every signature as Amazon
//! documents it (Signature Version 4), and fails on demand.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::HeaderMap, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// How many objects an answer lists at most: fewer than any test has.
const PAGE: usize = 3;

/// How a request fails.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// With this status and code.
    Refused(u16, &'static str),
    /// The connection ends without an answer.
    Reset,
    /// The answer takes this long.
    Slow(Duration),
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: Method,
    /// The object's key; empty for the bucket itself.
    pub key: String,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (Bytes, SystemTime)>,
    asked: Vec<Asked>,
    /// The method that fails, any if it is `None`, how, and how many times.
    fault: Option<(Option<Method>, Fault, usize)>,
    /// The most requests that were answered at one time.
    most_at_once: usize,
    at_once: usize,
}

/// The running service; its data is gone with it.
pub struct S3 {
    address: String,
    state: Arc<Mutex<State>>,
    serving: tokio::task::JoinHandle<()>,
}

impl S3 {
    pub const BUCKET: &str = "codeflow-files";
    pub const ACCESS_KEY: &str = "access-key-of-the-test";
    pub const SECRET_KEY: &str = "secret-key-of-the-test";
    const REGION: &str = "garage";

    pub async fn start() -> Self {
        // Stores in this process use it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        super::secrets::remember(Self::SECRET_KEY);
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                let service = service_fn(move |request| answer(state.clone(), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self {
            address,
            state,
            serving,
        }
    }

    /// The variables that make a server use it.
    pub fn env(&self) -> [(&str, &str); 5] {
        [
            ("S3_ENDPOINT", &self.address),
            ("S3_BUCKET", Self::BUCKET),
            ("S3_ACCESS_KEY", Self::ACCESS_KEY),
            ("S3_SECRET_KEY", Self::SECRET_KEY),
            ("S3_REGION", Self::REGION),
        ]
    }

    /// The keys and contents of the objects that hold contents.
    pub fn contents(&self) -> BTreeMap<String, Bytes> {
        let state = self.state.lock();
        let objects = state.objects.iter();
        let contents = objects.filter(|(key, _)| key.starts_with("blobs/"));
        contents
            .map(|(key, (content, _))| (key.clone(), content.clone()))
            .collect()
    }

    /// Whether it has this content, whole.
    pub fn has(&self, content: &[u8]) -> bool {
        let key = key_of(content);
        self.contents()
            .get(&key)
            .is_some_and(|found| found == content)
    }

    /// Changes a byte of the object with this content.
    pub fn flip(&self, content: &[u8]) {
        let mut changed = content.to_vec();
        changed[0] ^= 1;
        self.put(&key_of(content), changed);
    }

    /// Loses the object with this content.
    pub fn lose(&self, content: &[u8]) {
        let lost = self.state.lock().objects.remove(&key_of(content));
        assert!(lost.is_some());
    }

    pub fn put(&self, key: &str, content: Vec<u8>) {
        let mut state = self.state.lock();
        let object = (content.into(), SystemTime::now());
        state.objects.insert(key.to_owned(), object);
    }

    /// Lets the next requests fail in this way; with a method, only these.
    pub fn fail(&self, method: Option<Method>, fault: Fault, times: usize) {
        self.state.lock().fault = Some((method, fault, times));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.state.lock().fault = None;
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().asked)
    }

    /// The most requests that were answered at one time.
    pub fn most_at_once(&self) -> usize {
        self.state.lock().most_at_once
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The key of a content's object.
pub fn key_of(content: &[u8]) -> String {
    let hash = hex::encode(Sha256::digest(content));
    format!("blobs/{}/{hash}", &hash[..2])
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    {
        let mut state = state.lock();
        state.at_once += 1;
        state.most_at_once = state.most_at_once.max(state.at_once);
    }
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let answered = answer_to(&state, &parts.method, &path, &query, &parts.headers, body).await;
    state.lock().at_once -= 1;
    answered
}

async fn answer_to(
    state: &Mutex<State>,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> io::Result<Response<Full<Bytes>>> {
    let (bucket, key) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or((&path[1..], ""));
    state.lock().asked.push(Asked {
        method: method.clone(),
        key: key.to_owned(),
    });
    let fault = next_fault(&mut state.lock(), method);
    match fault {
        Some(Fault::Refused(status, code)) => return Ok(refusal(status, code)),
        Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        // Requests that come together are seen together.
        None => tokio::time::sleep(Duration::from_millis(3)).await,
    }
    if let Err(code) = check(method, path, query, headers, &body) {
        return Ok(refusal(403, code));
    }
    if bucket != S3::BUCKET {
        return Ok(refusal(404, "NoSuchBucket"));
    }
    let mut state = state.lock();
    Ok(match *method {
        Method::GET if key.is_empty() => list(&state, query),
        Method::GET | Method::HEAD => match state.objects.get(key) {
            Some((content, at)) => response(200)
                .header("last-modified", httpdate::fmt_http_date(*at))
                .header("etag", etag(content))
                .header("content-length", content.len())
                .body(Full::new(content.clone()))
                .unwrap(),
            None => refusal(404, "NoSuchKey"),
        },
        Method::PUT => {
            let tag = etag(&body);
            state
                .objects
                .insert(key.to_owned(), (body, SystemTime::now()));
            response(200)
                .header("etag", tag)
                .body(Full::default())
                .unwrap()
        }
        Method::POST if query == "delete" => {
            let body = String::from_utf8(body.to_vec()).unwrap();
            let keys = body.split("<Key>").skip(1);
            let mut deleted = String::new();
            for key in keys.map(|key| key.split("</Key>").next().unwrap()) {
                state.objects.remove(key);
                deleted.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
            }
            xml(200, &format!("<DeleteResult>{deleted}</DeleteResult>"))
        }
        Method::DELETE => {
            state.objects.remove(key);
            response(204).body(Full::default()).unwrap()
        }
        _ => refusal(405, "MethodNotAllowed"),
    })
}

fn next_fault(state: &mut State, method: &Method) -> Option<Fault> {
    let (of, fault, left) = state.fault.as_mut()?;
    if *left == 0 || of.as_ref().is_some_and(|of| of != method) {
        return None;
    }
    *left -= 1;
    Some(*fault)
}

fn list(state: &State, query: &str) -> Response<Full<Bytes>> {
    let of = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let value = pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()));
        value.unwrap_or_default()
    };
    assert_eq!(of("list-type"), "2");
    let (prefix, after) = (of("prefix"), of("continuation-token"));
    let found = state.objects.iter();
    let mut found = found.filter(|(key, _)| key.starts_with(&prefix) && **key > after);
    let page: Vec<_> = found.by_ref().take(PAGE).collect();
    let contents: String = page
        .iter()
        .map(|(key, (content, at))| {
            let at = chrono::DateTime::<chrono::Utc>::from(*at).to_rfc3339();
            let size = content.len();
            format!(
                "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{at}</LastModified>\
                 </Contents>"
            )
        })
        .collect();
    let next = match (found.next(), page.last()) {
        (Some(_), Some((key, _))) => {
            format!("<NextContinuationToken>{key}</NextContinuationToken>")
        }
        _ => String::new(),
    };
    xml(
        200,
        &format!("<ListBucketResult>{contents}{next}</ListBucketResult>"),
    )
}

fn response(status: u16) -> hyper::http::response::Builder {
    Response::builder().status(StatusCode::from_u16(status).unwrap())
}

fn xml(status: u16, text: &str) -> Response<Full<Bytes>> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{text}");
    response(status).body(Full::new(text.into())).unwrap()
}

fn refusal(status: u16, code: &str) -> Response<Full<Bytes>> {
    xml(
        status,
        &format!("<Error><Code>{code}</Code><Message>No.</Message></Error>"),
    )
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", &hex::encode(Sha256::digest(content))[..32])
}

/// The code of the refusal, if the request is not signed with the key's secret.
fn check(
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), &'static str> {
    let header = |name: &str| {
        let values = headers.get_all(name).iter();
        let values: Vec<&str> = values.map(|value| value.to_str().unwrap().trim()).collect();
        values.join(",")
    };
    let authorization = header("authorization");
    let field = |name: &str| {
        let (_, rest) = authorization
            .split_once(&format!("{name}="))
            .ok_or("AccessDenied")?;
        Ok::<_, &str>(rest.split(',').next().unwrap_or_default().trim().to_owned())
    };
    let (credential, signed, signature) = (
        field("Credential")?,
        field("SignedHeaders")?,
        field("Signature")?,
    );
    let (key, scope) = credential.split_once('/').ok_or("AccessDenied")?;
    if key != S3::ACCESS_KEY {
        return Err("InvalidAccessKeyId");
    }
    let [day, region, service, end]: [&str; 4] = scope
        .split('/')
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "AccessDenied")?;
    if region != S3::REGION {
        return Err("AuthorizationHeaderMalformed");
    }
    let hash = header("x-amz-content-sha256");
    if hash != hex::encode(Sha256::digest(body)) {
        return Err("XAmzContentSHA256Mismatch");
    }
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            if pair.contains('=') {
                pair.to_owned()
            } else {
                format!("{pair}=")
            }
        })
        .collect();
    pairs.sort();
    let lines: String = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", header(name)))
        .collect();
    let canonical = format!(
        "{method}\n{path}\n{}\n{lines}\n{signed}\n{hash}",
        pairs.join("&")
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        header("x-amz-date"),
        hex::encode(Sha256::digest(canonical))
    );
    let start = format!("AWS4{}", S3::SECRET_KEY).into_bytes();
    let parts = [day, region, service, end, &to_sign];
    let expected = parts.iter().fold(start, |key, part| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        hmac::sign(&key, part.as_bytes()).as_ref().to_vec()
    });
    match hex::encode(expected) == signature {
        true => Ok(()),
        false => Err("SignatureDoesNotMatch"),
    }
}
