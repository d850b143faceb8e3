import type { NextConfig } from "next";

// Where the preview is served: hot reload is refused to hosts that are not named here.
const previewDomain = process.env.SANDBOX_DOMAIN?.split(":")[0];

const nextConfig: NextConfig = {
  allowedDevOrigins: ["*.localhost", "*.e2b.app", "*.e2b.dev", ...(previewDomain ? [`*.${previewDomain}`] : [])],
  // It would cover the app's own corner in the preview.
  devIndicators: false,
};

export default nextConfig;
