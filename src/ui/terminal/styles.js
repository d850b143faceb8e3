// What xterm.js writes into the page as styles, in ways that the page's policy allows: its style elements get the page's nonce, and what
// it would write into style attributes is set as properties. The bundle has `pageDocument` wherever it says `document` (package.json), for
// xterm.js's own option reaches a part of it alone.

const real = globalThis.document;

/** The nonce that the page's scripts carry; browsers show it to scripts only. */
export const nonce = real.querySelector("script[nonce]")?.nonce ?? "";

function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

function createElement(...of) {
  const element = real.createElement(...of);
  if (element instanceof HTMLStyleElement) element.nonce = nonce;
  if (element instanceof HTMLSpanElement) element.setAttribute = setAttribute;
  return element;
}

/** The document as the bundle sees it. */
export const pageDocument = new Proxy(real, {
  get(_, name) {
    if (name === "createElement") return createElement;
    const value = Reflect.get(real, name, real);
    return typeof value === "function" ? value.bind(real) : value;
  },
  set: (_, name, value) => Reflect.set(real, name, value, real),
});
