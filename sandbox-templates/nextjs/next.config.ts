import type { NextConfig } from "next";

// Where the preview is served: hot reload is refused to hosts that are not named here.
const previewDomain = process.env.SANDBOX_DOMAIN?.split(":")[0];

const nextConfig: NextConfig = {
  // Who may hear what happens in the preview; see instrumentation-client.ts.
  env: { CODEFLOW_URL: process.env.CODEFLOW_URL ?? "http://localhost:3000" },
  allowedDevOrigins: ["*.localhost", "*.e2b.app", "*.e2b.dev", ...(previewDomain ? [`*.${previewDomain}`] : [])],
  // It would cover the app's own corner in the preview.
  devIndicators: false,
};

export default nextConfig;
