import type { Metadata } from "next";
import "./globals.css";

import { ThemeScript } from "@/components/theme-script";

export const metadata: Metadata = {
  title: "Curious quiz",
  description: "Eight questions about space, nature and machines.",
};

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" suppressHydrationWarning>
      <body className="min-h-dvh">
        <ThemeScript />
        {children}
      </body>
    </html>
  );
}
