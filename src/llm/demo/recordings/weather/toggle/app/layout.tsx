import type { Metadata } from "next";
import "./globals.css";

import { ThemeScript } from "@/components/theme-script";

export const metadata: Metadata = {
  title: "Weather",
  description: "Now, the next hours and the week, for eight cities.",
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
