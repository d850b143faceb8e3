import type { Metadata } from "next";
import "./globals.css";

export const metadata: Metadata = {
  title: "Weather",
  description: "Now, the next hours and the week, for eight cities.",
};

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" suppressHydrationWarning>
      <body className="min-h-dvh">{children}</body>
    </html>
  );
}
