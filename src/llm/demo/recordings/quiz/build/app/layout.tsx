import type { Metadata } from "next";
import "./globals.css";

export const metadata: Metadata = {
  title: "Curious quiz",
  description: "Eight questions about space, nature and machines.",
};

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" suppressHydrationWarning>
      <body className="min-h-dvh">{children}</body>
    </html>
  );
}
