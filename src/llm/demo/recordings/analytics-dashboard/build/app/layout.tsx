import type { Metadata } from "next";
import "./globals.css";

export const metadata: Metadata = {
  title: "Analytics – Northside Coffee",
  description: "Revenue, orders and visitors of a coffee shop.",
};

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" suppressHydrationWarning>
      <body className="min-h-dvh">{children}</body>
    </html>
  );
}
