// The same template as an E2B sandbox: the files beside this folder in /home/user, their packages, the dev server running.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Template, waitForURL } from "e2b";

const app = resolve(import.meta.dirname, "..");
const { install, start, port } = JSON.parse(readFileSync(resolve(app, "template.json"), "utf8"));

export const template = Template({
  fileContextPath: app,
  // A folder's name alone would leave out the folder, and send what is in it.
  fileIgnorePatterns: [
    "e2b/**",
    "node_modules/**",
    ".next/**",
    ".env*",
    "next-env.d.ts",
    "*.tsbuildinfo",
    "template.json",
    "README.md",
  ],
})
  .fromNodeImage("24-slim")
  .aptInstall(["ca-certificates", "curl", "git", "procps"])
  .setUser("user")
  .setWorkdir("/home/user")
  .copy(".", "/home/user", { user: "user" })
  .runCmd(install)
  // The page in a preview reports to the builder at this address, which the dev server learns as it starts: when the template is built.
  .setEnvs({ NEXT_TELEMETRY_DISABLED: "1", CODEFLOW_URL: process.env.CODEFLOW_URL ?? "http://localhost:3000" })
  .setStartCmd(start, waitForURL(`http://localhost:${port}/`));
