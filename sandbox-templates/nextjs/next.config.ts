import type { NextConfig } from "next";

const nextConfig: NextConfig = {
  // Both are for E2B's cloud: who may hear what happens in the preview (see instrumentation-client.js), and where hot reload is asked from.
  env: { CODEFLOW_URL: process.env.CODEFLOW_URL ?? "http://localhost:3000" },
  allowedDevOrigins: ["*.e2b.app", "*.e2b.dev"],
  // It would cover the app's own corner in the preview.
  devIndicators: false,
};

export default nextConfig;
