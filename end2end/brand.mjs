// node end2end/brand.mjs: draws the app's icons and the picture that shared links show, from the favicon, into public/.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, startBrowser } from "./server.mjs";

const favicon = readFileSync(join(root, "public/favicon.svg"), "utf8");
const mark = `data:image/svg+xml;base64,${Buffer.from(favicon).toString("base64")}`;
const font = "ui-sans-serif, system-ui, sans-serif";

const browser = await startBrowser();
const page = await browser.newPage();
const draw = async (name, width, height, body) => {
  await page.setViewportSize({ width, height });
  await page.setContent(`<!doctype html><style>*{margin:0;box-sizing:border-box}body{width:${width}px;height:${height}px;font-family:${font}}</style>${body}`);
  await page.screenshot({ path: join(root, "public", name), type: "png" });
};
for (const size of [192, 512]) {
  // The whole square in the mark's colour: systems cut their own shape out of it.
  await draw(`icon-${size}.png`, size, size, `<div style="height:100%;background:#18181b;display:grid;place-items:center"><img src="${mark}" width="${size * 0.72}"></div>`);
}
await draw(
  "social.png",
  1200,
  630,
  `<div style="height:100%;padding:88px;display:flex;flex-direction:column;color:#18181b;
     background:radial-gradient(60rem 32rem at 50% -12rem,#dcdcff,transparent 70%),#fcfcfd">
     <div style="display:flex;align-items:center;gap:20px;font-size:34px;font-weight:600"><img src="${mark}" width="64">CodeFlow</div>
     <h1 style="margin-top:auto;font-size:88px;line-height:1.05;letter-spacing:-0.03em;font-weight:650">What it calls done, runs.</h1>
     <p style="margin-top:24px;font-size:32px;line-height:1.4;color:#52525b">Describe a web app. It is written in a sandbox, checked, and shown to you live.</p>
   </div>`,
);
await browser.close();
