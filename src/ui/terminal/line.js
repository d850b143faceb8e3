// The socket of a project's terminals, for as long as the tab is there: it reconnects for as long as it takes. Frames are those of
// `src/protocol/terminal.rs`.

const FIRST_RETRY_DELAY_MS = 250;
const MAX_RETRY_DELAY_MS = 10_000;
const PING_INTERVAL_MS = 20_000;
const MAX_SILENCE_MS = 45_000;
/** The most bytes of typed input in one frame. */
const PIECE = 16 << 10;
/** The server's close code for a permanent refusal. */
const REFUSED = 1008;
const HEAD = 12;

const encoder = new TextEncoder();

/**
 * Opens the line. `on.open()`, `on.lost()` and `on.refused(reason)` say how it is, `on.frame(frame)` and `on.output(shell, place, bytes)`
 * what comes over it.
 */
export function openLine(project, on) {
  let socket = null;
  let failures = 0;
  let retry = 0;
  let heard = 0;
  let ended = false;

  const connect = () => {
    clearTimeout(retry);
    socket?.close();
    const own = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/projects/${project}/terminal`);
    own.binaryType = "arraybuffer";
    socket = own;
    heard = Date.now();
    own.onopen = () => own === socket && on.open();
    own.onmessage = ({ data }) => {
      if (own !== socket) return;
      heard = Date.now();
      failures = 0;
      if (typeof data === "string") {
        const frame = JSON.parse(data);
        if (frame.frame !== "pong") on.frame(frame);
        return;
      }
      const head = new DataView(data, 0, HEAD);
      on.output(head.getUint32(0), Number(head.getBigUint64(4)), new Uint8Array(data, HEAD));
    };
    own.onclose = ({ code, reason }) => {
      if (own !== socket) return;
      socket = null;
      if (code === REFUSED) {
        ended = true;
        on.refused(reason);
      }
      if (ended) return;
      on.lost();
      const wait = Math.min(FIRST_RETRY_DELAY_MS * 2 ** failures++, MAX_RETRY_DELAY_MS);
      retry = setTimeout(connect, wait * (0.5 + Math.random() / 2));
    };
  };
  const isOpen = () => socket?.readyState === WebSocket.OPEN;
  const send = (data) => {
    if (isOpen()) socket.send(data);
    return isOpen();
  };
  const ask = (request) => send(JSON.stringify(request));

  const watch = setInterval(() => {
    if (Date.now() - heard > MAX_SILENCE_MS) connect();
    else ask({ request: "ping" });
  }, PING_INTERVAL_MS);
  const wake = () => {
    if (!ended && !document.hidden && (!isOpen() || Date.now() - heard > MAX_SILENCE_MS)) connect();
  };
  addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  connect();

  return {
    isOpen,
    ask,
    /** Types into a shell; false if there is no connection. */
    type(shell, text) {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length; at += PIECE) {
        const piece = bytes.subarray(at, at + PIECE);
        const frame = new Uint8Array(4 + piece.length);
        new DataView(frame.buffer).setUint32(0, shell);
        frame.set(piece, 4);
        if (!send(frame)) return false;
      }
      return true;
    },
    close() {
      ended = true;
      clearTimeout(retry);
      clearInterval(watch);
      removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", wake);
      socket?.close();
    },
  };
}
