// The element picker: the builder asks for an element of the page, the visitor points at one, and the builder hears what it is and where it
// was written. React's development build knows that of every element that it makes, whatever the app's files and its configuration are, so
// the sources are not changed for it.

const PICK = "codeflow-builder:pick";
const PICK_END = "codeflow-builder:pick-end";
const MAX_PLACES = 8;
const LOOKS = `
div { position: fixed; box-sizing: border-box; border: 2px solid #6d5ef0; border-radius: 3px; background: rgb(109 94 240 / .14); }
span { position: fixed; padding: 2px 6px; border-radius: 4px; background: #4f3fd6; color: white; font: 12px/1.4 system-ui, sans-serif;
  white-space: nowrap; }
[hidden] { display: none; }
`;

let picking = null;

/** Starts picking: until an element is chosen or Escape is pressed, the page's own handlers get no pointer or key events. */
function startPicking() {
  if (picking) return;
  const host = document.createElement("codeflow-picker");
  host.style.cssText = "position:fixed;inset:0;z-index:2147483647;pointer-events:none";
  const root = host.attachShadow({ mode: "closed" });
  // The page's policy can't forbid either.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(LOOKS);
  root.adoptedStyleSheets = [sheet];
  const [frame, label] = ["div", "span"].map((name) => document.createElement(name));
  frame.hidden = label.hidden = true;
  root.append(frame, label);
  document.documentElement.append(host);
  const stop = new AbortController();
  picking = { host, frame, label, element: null, stop };
  const options = { capture: true, signal: stop.signal };
  const hush = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  for (const name of ["mousedown", "mouseup", "dblclick", "contextmenu", "submit"]) window.addEventListener(name, hush, options);
  // Their defaults are scrolling and the click of a touch.
  const keep = (event) => event.stopImmediatePropagation();
  for (const name of ["pointerdown", "pointerup", "touchstart", "touchend"]) window.addEventListener(name, keep, options);
  window.addEventListener("pointermove", ({ clientX, clientY }) => show(document.elementFromPoint(clientX, clientY)), options);
  window.addEventListener(
    "click",
    (event) => {
      hush(event);
      // A click without a pointer, such as Enter on a button.
      const isPointed = event.detail > 0 || event.clientX > 0 || event.clientY > 0;
      choose((isPointed && document.elementFromPoint(event.clientX, event.clientY)) || picking?.element);
    },
    options,
  );
  window.addEventListener("keydown", (event) => {
    hush(event);
    const { element } = picking;
    if (event.key === "Escape") endPicking(true);
    else if (event.key === "Enter" || event.key === " ") choose(element);
    else if (event.key === "ArrowUp") show(element?.parentElement ?? document.body);
    else if (event.key === "ArrowDown") show(element?.firstElementChild ?? element ?? document.body);
    else if (event.key === "ArrowRight") show(element?.nextElementSibling ?? element ?? document.body);
    else if (event.key === "ArrowLeft") show(element?.previousElementSibling ?? element ?? document.body);
  }, options);
  const again = () => picking && show(picking.element);
  for (const name of ["scroll", "resize"]) window.addEventListener(name, again, options);
  show(document.body);
}

function show(element) {
  if (!(element instanceof Element) || element === picking.host) return;
  picking.element = element;
  const { frame, label } = picking;
  const { left, top, width, height } = element.getBoundingClientRect();
  Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  const component = nameOf(ownerOf(fiberOf(element)));
  label.textContent = component ? `${element.localName} · ${component}` : element.localName;
  Object.assign(label.style, { left: `${Math.max(left, 2)}px`, top: `${top > 24 ? top - 24 : Math.max(top, 0) + 2}px` });
  frame.hidden = label.hidden = false;
}

function endPicking(isByHand) {
  if (!picking) return;
  picking.stop.abort();
  picking.host.remove();
  picking = null;
  if (isByHand) post({ type: "pick-ended" });
}

function choose(element) {
  if (!(element instanceof Element)) return;
  endPicking(false);
  describeElement(element).then(
    (picked) => post({ type: "picked", ...picked }),
    () => post({ type: "pick-ended" }),
  );
}

async function describeElement(element) {
  const own = [...element.childNodes];
  const isTextOnly = own.length > 0 && own.every((node) => node.nodeType === Node.TEXT_NODE);
  return {
    tag: element.localName.slice(0, 60),
    text: (element.innerText ?? element.textContent ?? "").replace(/\s+/g, " ").trim().slice(0, 200),
    ownText: isTextOnly ? element.textContent.slice(0, MAX_TEXT) : null,
    classes: element.getAttribute("class")?.slice(0, MAX_TEXT) ?? "",
    path: window.location.pathname.slice(0, 200),
    places: await placesOf(element),
  };
}

function fiberOf(element) {
  const key = Object.keys(element).find((name) => name.startsWith("__reactFiber$"));
  return key && element[key];
}

/** The component that wrote an element: a fiber, or the server's description of one. */
function ownerOf(maker) {
  return maker?._debugOwner ?? maker?.owner ?? null;
}

function nameOf(maker) {
  if (!maker) return null;
  const name = maker.name ?? maker.type?.displayName ?? maker.type?.name ?? maker.type?.render?.name;
  return typeof name === "string" && name ? name.slice(0, 80) : null;
}

/** The stack at the moment when an element was created, up to the component that wrote it. */
function framesOf(maker) {
  const stack = String((maker._debugStack ?? maker.debugStack)?.stack ?? "");
  const lines = stack.split("\n").filter((line) => /:\d+:\d+\)?$/.test(line));
  const end = lines.findIndex((line) => /react[-_]stack[-_]bottom[-_]frame/.test(line));
  const own = (end < 0 ? lines : lines.slice(0, end)).slice(0, 6);
  const server = own.map((line) => /^\s*at (?:(.*?) \()?about:\/\/React\/[^/]+\/(file:\/\/\S+?)(?:\?\d+)?:(\d+):(\d+)\)?$/.exec(line));
  // React has encoded the code's address, which may itself contain encoded characters: a replaced module has its name there.
  const ofServer = server
    .filter((parts) => parts !== null)
    .map(([, name, file, line, column]) => ({ file: decodeURI(file), methodName: name ?? "", line1: Number(line), column1: Number(column), arguments: [] }));
  return ofServer.length > 0 ? { frames: ofServer, isServer: true } : { frames: stackFrames(own.join("\n")), isServer: false };
}

/** Where the element was written, then where the component that wrote it was used, and so on. */
async function placesOf(element) {
  const found = [];
  let maker = fiberOf(element);
  let tag = element.localName;
  for (let step = 0; maker && step < MAX_PLACES; step++) {
    const owner = ownerOf(maker);
    found.push({ tag, component: nameOf(owner), ...framesOf(maker) });
    maker = owner;
    tag = nameOf(owner) ?? "";
  }
  const mapped = await Promise.all(
    found.map(async ({ tag, component, frames, isServer }) => {
      const place = frames.length > 0 ? await mapFrames(frames, isServer).catch(() => null) : null;
      return place && { tag, component, ...place };
    }),
  );
  return mapped.filter((place) => place !== null);
}

/** The first frame in the app's own sources, as mapped by the dev server. */
async function mapFrames(frames, isServer) {
  const answer = await fetch("/__nextjs_original-stack-frames", {
    method: "POST",
    body: JSON.stringify({ frames, isServer, isEdgeServer: false, isAppDirectory: true }),
    signal: AbortSignal.timeout(5000),
  });
  for (const { value } of await answer.json()) {
    const { file, line1, column1, ignored } = value?.originalStackFrame ?? {};
    if (!file || !line1 || ignored || /node_modules|^https?:/.test(file)) continue;
    return { file: file.replace(/^\.\//, "").slice(0, 300), line: line1, column: column1 ?? 1 };
  }
  return null;
}
