// node end2end/showcase.mjs: takes the showcase's pictures of every recorded app on three devices, into public/showcase/.
// Run it when a recording has changed; it needs an optimised build and a template, as the browser tests do.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { post, root, startBrowser, startServer, until } from "./server.mjs";

const DEVICES = [
  ["phone", { width: 390, height: 844 }],
  ["tablet", { width: 820, height: 1180 }],
  ["laptop", { width: 1280, height: 800 }],
];
const folder = join(root, "public/showcase");
mkdirSync(folder, { recursive: true });

const server = await startServer();
const browser = await startBrowser();
try {
  const address = server.url.replace("localhost", "127.0.0.1");
  const apps = await (await fetch(`${address}/api/showcase/list`)).json();
  for (const { slug } of apps) {
    const project = await post(server, "/api/showcase/use", { slug });
    // Its page keeps the app awake.
    const builder = await browser.newPage();
    await builder.goto(`${server.url}/projects/${project}`);
    const preview = await until(
      `${slug} is shown`,
      async () => {
        const { preview } = await (await fetch(`${address}/api/projects/workspace?project=${project}`)).json();
        return preview.state === "ready" ? preview.url : null;
      },
      180_000,
    );
    for (const [device, viewport] of DEVICES) {
      const page = await browser.newPage({ viewport, deviceScaleFactor: device === "laptop" ? 0.75 : 1, colorScheme: "light" });
      await page.goto(preview, { waitUntil: "networkidle" });
      // The dev server's own badge is no part of the app.
      await page.addStyleTag({ content: "nextjs-portal { display: none }" });
      await page.waitForTimeout(800);
      await page.screenshot({ path: join(folder, `${slug}-${device}.jpg`), type: "jpeg", quality: 72 });
      await page.close();
    }
    await builder.close();
    await post(server, "/api/projects/delete", { project });
    console.log(slug);
  }
} finally {
  await browser.close();
  await server.stop();
}
