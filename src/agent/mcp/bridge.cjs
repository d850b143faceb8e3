// Runs in a project's sandbox: carries MCP between lines on its input and output and a server over
// streamable HTTP (https://modelcontextprotocol.io/specification/2025-06-18/basic/transports), by
// the sandbox's proxy where it has one. A message that fails is answered with an error of CODE,
// whose text is one of the faults that the agent knows.
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const tls = require("node:tls");
const { once } = require("node:events");
const { createInterface } = require("node:readline");

const CODE = -33000;
const { url, headers, limit } = JSON.parse(process.env.MCP_BRIDGE);
const target = new URL(url);
const isSecure = target.protocol === "https:";
const host = target.hostname.replace(/^\[|\]$/g, "");
const defaultPort = isSecure ? 443 : 80;
const port = Number(target.port) || defaultPort;
const isLocal = ["localhost", "127.0.0.1", "::1"].includes(host);
const proxy = !isLocal && process.env.HTTPS_PROXY ? new URL(process.env.HTTPS_PROXY) : null;

class Fault extends Error {}

/** The headers that the server's first answer gives to all messages after it. */
const session = {};

/** A connection by the proxy, which says why if it refuses. */
async function tunnel() {
  if (!isSecure && port !== 80) throw new Fault("plain");
  const path = `${target.hostname}:${port}`;
  const asking = http.request({
    host: proxy.hostname,
    port: proxy.port,
    method: "CONNECT",
    path,
    headers: { host: path, connection: "close" },
  });
  const [answer, socket, head] = await once(asking.end(), "connect");
  if (answer.statusCode === 200) return socket;
  let why = head.toString();
  for await (const piece of socket) why += piece;
  if (why.includes("(SANDBOX_EGRESS_ALLOW)")) throw new Fault("not allowed");
  throw new Fault(why.trimEnd().endsWith("private one") ? "private" : "unreachable");
}

function faultOf(status) {
  if (status === 401 || status === 403) return "refused";
  if (status === 429 || status >= 500) return "failing";
  return status < 200 || status > 299 ? "nonsense" : null;
}

/** The server's answer to the message, once its head is there. */
async function post(message) {
  const options = {
    method: "POST",
    defaultPort,
    headers: {
      ...headers,
      ...session,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(message),
    },
  };
  if (proxy) {
    const socket = await tunnel();
    const servername = net.isIP(host) ? "" : host;
    options.createConnection = () => (isSecure ? tls.connect({ socket, host, servername }) : socket);
  }
  const request = (isSecure ? https : http).request(target, options);
  const [answer] = await once(request.end(message), "response");
  const fault = faultOf(answer.statusCode);
  if (fault) {
    answer.destroy();
    throw new Fault(fault);
  }
  const id = answer.headers["mcp-session-id"];
  if (id) session["mcp-session-id"] = id;
  return answer.setEncoding("utf8");
}

/** The messages in the answer: one as JSON, or any number as events. */
async function* messages(answer) {
  const isStream = /^text\/event-stream\b/i.test(answer.headers["content-type"] ?? "");
  let text = "";
  for await (const piece of answer) {
    text += piece;
    if (text.length > limit) throw new Fault("nonsense");
    if (!isStream) continue;
    const events = text.split(/\r?\n\r?\n/);
    text = events.pop();
    for (const event of events) {
      const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
      const data = lines.map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
      if (data) yield data;
    }
  }
  if (!isStream && text.trim()) yield text;
}

async function write(message) {
  if (!process.stdout.write(`${JSON.stringify(message)}\n`)) await once(process.stdout, "drain");
}

function wordFor(error) {
  if (error instanceof Fault) return error.message;
  const isStrange = error instanceof SyntaxError || error instanceof TypeError;
  return isStrange || error.code?.startsWith("HPE_") ? "nonsense" : "unreachable";
}

async function carry(line) {
  const { id, method } = JSON.parse(line);
  const isRequest = id !== undefined && method !== undefined;
  try {
    let isAnswered = false;
    for await (const text of messages(await post(line))) {
      const message = JSON.parse(text);
      const isAnswer = message.id === id && message.method === undefined;
      isAnswered ||= isAnswer;
      if (isAnswer && method === "initialize" && message.result?.protocolVersion) {
        session["mcp-protocol-version"] = message.result.protocolVersion;
      }
      await write(message);
    }
    if (isRequest && !isAnswered) throw new Fault("nonsense");
  } catch (error) {
    if (!isRequest) return;
    await write({ jsonrpc: "2.0", id, error: { code: CODE, message: wordFor(error) } });
  }
}

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    const carrying = carry(line);
    // A notification comes before what follows it; requests don't wait for each other.
    if (JSON.parse(line).id === undefined) await carrying;
  }
  process.exit();
})();
