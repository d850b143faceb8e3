// The preview shows any app that a tab would show: one that refuses to be framed, that has rewritten what the template brought, that wants
// the powers of a tab; and a reload stays on the page that is open.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, stopAll, test } from "./suite.mjs";
import { done, startModel, write } from "./model.mjs";
import { PATIENCE, get, post, startBrowser, startServer, until } from "./server.mjs";
import { workspace } from "./workspace.mjs";

const CONFIG = `import type { NextConfig } from "next";
const nextConfig: NextConfig = {
  images: { remotePatterns: [new URL("https://images.example.com/**")] },
  headers: async () => [
    {
      source: "/:path*",
      headers: [
        { key: "X-Frame-Options", value: "DENY" },
        { key: "Content-Security-Policy", value: "frame-ancestors 'none'; default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data: ws:" },
      ],
    },
  ],
};
export default nextConfig;
`;
const PAGE = `"use client";
import Link from "next/link";
import { useState } from "react";

const powers = {
  fullscreen: () => document.documentElement.requestFullscreen().then(() => document.exitFullscreen()),
  pointer: () => Promise.resolve(document.documentElement.requestPointerLock()).then(() => document.exitPointerLock()),
  camera: () => navigator.mediaDevices.getUserMedia({ video: true, audio: true }),
  location: () => new Promise((found, refused) => navigator.geolocation.getCurrentPosition(found, refused)),
  clipboard: () => navigator.clipboard.writeText("copied").then(() => navigator.clipboard.readText()),
  alert: () => Promise.resolve(alert("Careful")),
  popup: () => Promise.resolve(window.open("/settings")),
};

export default function Home() {
  const [said, setSaid] = useState("");
  return (
    <main className="flex flex-wrap gap-4 p-8">
      <h1>Framed</h1>
      <Link href="/settings?tab=2">Settings</Link>
      <a href="data:text/plain,notes" download="notes.txt">Download</a>
      {Object.entries(powers).map(([name, use]) => (
        <button key={name} onClick={() => use().then(() => setSaid(name + " works"), (error) => setSaid(name + ": " + error.message))}>
          {name}
        </button>
      ))}
      <button onClick={() => { throw new Error("thrown here"); }}>Throw</button>
      <p>{said}</p>
    </main>
  );
}
`;
const SETTINGS = `export default function Settings() {
  return <h1 id="top">Settings</h1>;
}
`;
const APP = {
  "next.config.ts": CONFIG,
  "instrumentation-client.js": "// Nothing is done here.\n",
  "app/page.tsx": PAGE,
  "app/settings/page.tsx": SETTINGS,
};

let model;
let server;
let browser;
let page;
let ui;

before(async () => {
  model = await startModel((prompt, turn) => {
    if (turn > 0) return done;
    return prompt.startsWith("Change") ? write({ "app/settings/page.tsx": SETTINGS.replace("Settings<", "Options<") }) : write(APP);
  });
  server = await startServer(model.env);
  browser = await startBrowser(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, geolocation: { latitude: 1, longitude: 2 } });
  await context.grantPermissions(["geolocation", "camera", "microphone", "clipboard-read", "clipboard-write"]);
  page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  ui = workspace(page);
});

after(() => stopAll(browser, server, model));

const app = () => page.frames().find((frame) => /^http:\/\/3000-/.test(frame.url()));
const button = (name) => ui.preview().getByRole("button", { name, exact: true });
const settings = () => ui.preview().getByRole("heading", { name: "Settings" });

/** Uses a power until the app, which does nothing before it is hydrated, has said how it went. */
const use = (name) =>
  until(`the app has used ${name}`, async () => {
    await button(name).click({ timeout: 1000 }).catch(() => {});
    const said = await ui.preview().locator("main > p").innerText({ timeout: 1000 });
    return said.startsWith(name) && said;
  });

test("an app that refuses to be framed is shown, and one without the template's hook reports its errors too", async () => {
  await ui.start(server.url, "Build a page that refuses to be framed");
  await ui.finished(1);
  await ui.preview().getByRole("heading", { name: "Framed" }).waitFor();
  await until("the app throws", async () => {
    await button("Throw").click({ timeout: 1000 }).catch(() => {});
    return page.getByRole("region", { name: "Errors in the app" }).getByText("thrown here").isVisible();
  });
});

for (const name of ["fullscreen", "pointer", "camera", "location", "clipboard"]) {
  test(`the app has the power of a tab: ${name}`, async () => {
    assert.equal(await use(name), `${name} works`);
  });
}

test("the app asks with a dialog, has files downloaded, and opens windows that are no part of the frame", async () => {
  page.once("dialog", (dialog) => dialog.accept());
  assert.equal(await use("alert"), "alert works");
  const [download] = await Promise.all([page.waitForEvent("download"), ui.preview().getByRole("link", { name: "Download" }).click()]);
  assert.equal(download.suggestedFilename(), "notes.txt");
  const [popup] = await Promise.all([page.waitForEvent("popup"), button("popup").click()]);
  await popup.getByRole("heading", { name: "Settings" }).waitFor();
  // In a frame's sandbox it could lead no window elsewhere by itself.
  assert.equal(await popup.evaluate(() => window.origin), new URL(app().url()).origin);
  await popup.close();
});

test("a reload stays on the page that is open, fragment included", async () => {
  await until("the app leads to its settings", async () => {
    await ui.preview().getByRole("link", { name: "Settings" }).click({ timeout: 1000 }).catch(() => {});
    return settings().isVisible();
  });
  await app().evaluate(() => (window.location.hash = "top"));
  const address = app().url();
  assert.match(address, /\/settings\?tab=2#top$/);
  const field = page.getByRole("textbox", { name: "Address" });
  await until("the bar has its place", async () => (await field.inputValue()) === "/settings?tab=2#top");
  const [tab] = await Promise.all([page.waitForEvent("popup"), page.getByRole("button", { name: "Open in a new tab" }).click()]);
  await tab.waitForURL(address);
  await tab.close();
  await app().evaluate(() => (window.isOld = true));
  await page.getByRole("button", { name: "Reload", exact: true }).click();
  await until("the page was loaded anew", () => app().evaluate(() => document.readyState === "complete" && !window.isOld).catch(() => false));
  await settings().waitFor();
  assert.equal(app().url(), address);
});

test("a run's change is shown on the page that is open", async () => {
  await ui.send("Change the settings' title");
  await ui.finished(2);
  await ui.preview().getByRole("heading", { name: "Options" }).waitFor();
  assert.match(app().url(), /\/settings\?tab=2/);
});

test("Enter that ends a composition of an input method sends nothing, however the browser reports it", async () => {
  for (const [address, name, box] of [[server.url, "home", "Describe the app you want to build"], [page.url(), "workspace", "Message"]]) {
    await page.goto(address);
    await page.waitForLoadState("networkidle");
    const field = page.getByRole("textbox", { name: box });
    await field.fill("こんにちは");
    const before = page.url();
    const prevented = await field.evaluate((element) => {
      const press = (options) => {
        const key = new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...options });
        return !element.dispatchEvent(key);
      };
      element.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
      const during = press({ keyCode: 229, isComposing: true });
      element.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "こんにちは" }));
      return [during, press({ keyCode: 229, isComposing: false })];
    });
    assert.deepEqual(prevented, [false, false], name);
    assert.equal(await field.inputValue(), "こんにちは", name);
    assert.equal(page.url(), before, name);
  }
  // The Enter after it does send.
  await page.getByRole("textbox", { name: "Message" }).press("Enter");
  await page.getByRole("log").getByText("こんにちは").waitFor();
});

test("previews on a domain of their own have hot reload whatever the app's configuration says, and no other page does", async () => {
  await server.stop();
  server = await startServer({ ...model.env, SANDBOX_DOMAIN: "preview.codeflow.test" });
  const project = await post(server, "/api/projects/create", { prompt: "Build a page that refuses to be framed" });
  const address = await until(
    "the app runs",
    async () => {
      const { preview, runs } = await get(server, "/api/projects/workspace", { project });
      return runs.at(-1).state === "succeeded" && new URL(preview.url);
    },
    180_000,
  );
  const upgrade = (origin) =>
    new Promise((answered, failed) => {
      const headers = {
        host: address.host,
        origin,
        connection: "upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      };
      const asked = request({ host: "127.0.0.1", port: new URL(server.url).port, path: "/_next/hmr?id=1", headers });
      asked.on("upgrade", (response, socket) => {
        socket.destroy();
        answered(response.statusCode);
      });
      asked.on("response", (response) => answered(response.resume().statusCode));
      asked.on("error", failed);
      asked.end();
    });
  assert.equal(await upgrade(address.origin), 101);
  const foreign = await upgrade("https://evil.example").catch(() => "hung up on");
  assert.notEqual(foreign, 101);

  // And in a tab: its buttons live, and an edit arrives there by itself.
  const names = await startBrowser([`--host-resolver-rules=MAP ${address.hostname} 127.0.0.1:${new URL(server.url).port}`]);
  try {
    const tab = await names.newPage();
    // What encrypts stands before the server.
    await tab.goto(address.href.replace("https:", "http:"), { timeout: PATIENCE });
    const dialog = tab.waitForEvent("dialog", { timeout: PATIENCE }).then((shown) => shown.accept());
    await tab.getByRole("button", { name: "alert", exact: true }).click();
    await dialog;
    await tab.getByText("alert works").waitFor({ timeout: PATIENCE });
    await tab.getByRole("link", { name: "Settings" }).click();
    await tab.getByRole("heading", { name: "Settings" }).waitFor({ timeout: PATIENCE });
    await post(server, "/api/messages/send", { project, text: "Change the settings' heading" });
    await tab.getByRole("heading", { name: "Options" }).waitFor({ timeout: PATIENCE });
  } finally {
    await names.close();
  }
});
