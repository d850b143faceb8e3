// The terminals of a project: xterm.js behind `globalThis.codeflowTerminal`, which the Terminal tab calls. esbuild bundles it into
// `public/terminal/`; the page loads it when the tab is first opened. `pane.js` is what people see, `line.js` the socket behind it, and
// `screen.js` one terminal. It is a script and no part of the wasm because what it does all day is to hand bytes to a script.
import xterm from "@xterm/xterm/css/xterm.css";
import pane from "./pane.css";
import { nonce } from "../nonce.js";
import { mount } from "./pane.js";

const style = document.createElement("style");
Object.assign(style, { nonce, textContent: xterm + pane });
document.head.append(style);

globalThis.codeflowTerminal = { mount };
