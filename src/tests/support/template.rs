//! A minimal template, so that a test's sandbox is up in a moment: a Node.js server without
//! packages.

use std::{fs, os::unix::fs::lchown, path::Path};

/// The sandbox user's id on the host.
const USER: u32 = 101_000;

/// Serves `index.html` (status 500 while a file `broken` is there, with its text) or the path's own
/// file, answers with the headers it got, and echoes over a WebSocket. `/answer?<name>=<value>&…`
/// is a page with these headers, compressed as they say, or 304 to the `etag` among them. Below
/// `/api` there is a stream without an end, and silence; `/gone` is not there.
const SERVER: &str = r#"
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

const compressed = { br: brotliCompressSync, deflate: deflateSync, gzip: gzipSync };

const server = createServer((request, response) => {
  if (request.url === "/headers") {
    response.setHeader("content-type", "application/json");
    response.setHeader("clear-site-data", "*");
    response.end(JSON.stringify(request.headers));
    return;
  }
  if (request.url.startsWith("/answer?")) {
    for (const [name, value] of new URL(request.url, "http://app").searchParams) response.appendHeader(name, value);
    if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/html");
    const etag = response.getHeader("etag");
    if (etag && etag === request.headers["if-none-match"]) response.statusCode = 304;
    const page = "<!doctype html><html><head><title>An answer</title></head></html>";
    response.end((compressed[response.getHeader("content-encoding")] ?? ((text) => text))(page));
    return;
  }
  if (request.url === "/api/silent") return;
  if (request.url === "/api/stream") {
    response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
    return;
  }
  if (request.url === "/gone") {
    response.writeHead(404, { "content-type": "text/html" }).end("<h1>404</h1>");
    return;
  }
  response.setHeader("content-type", "text/html");
  const own = `.${request.url}.html`;
  if (existsSync(own)) {
    response.end(readFileSync(own));
    return;
  }
  response.statusCode = existsSync("broken") ? 500 : 200;
  response.end(existsSync("broken") ? readFileSync("broken") : readFileSync("index.html"));
});
server.on("upgrade", (request, socket) => {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  // One masked frame of less than 126 bytes at a time.
  socket.on("data", (frame) => {
    const length = frame[1] & 0x7f;
    const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, index) => byte ^ frame[2 + (index % 4)]));
    socket.write(Buffer.concat([Buffer.from([frame[0], length]), text]));
  });
  socket.on("error", () => {});
});
server.listen(3000, "127.0.0.1");
"#;

/// A data folder whose template `nextjs` is the small one.
pub fn data_dir() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let template = data.path().join("templates/nextjs");
    let home = template.join("v1/home");
    fs::create_dir_all(home.join("app")).unwrap();
    fs::write(
        template.join("v1/template.json"),
        r#"{ "start": "exec node server.mjs", "port": 3000 }"#,
    )
    .unwrap();
    fs::write(template.join("current"), "v1").unwrap();
    fs::write(home.join("server.mjs"), SERVER).unwrap();
    fs::write(home.join("index.html"), "<h1>The template</h1>").unwrap();
    fs::write(
        home.join("app/page.tsx"),
        "export default function Page() { return <h1>The template</h1>; }\n",
    )
    .unwrap();
    // A binary file, for tools that read text.
    fs::write(home.join("app/icon.png"), [0x89, b'P', b'N', b'G', 0, 0xff]).unwrap();
    give_to_user(&home);
    data
}

fn give_to_user(path: &Path) {
    lchown(path, Some(USER), Some(USER)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_to_user(&entry.unwrap().path());
        }
    }
}
