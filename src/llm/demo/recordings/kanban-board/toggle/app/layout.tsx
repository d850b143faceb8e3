import type { Metadata } from "next";

import { ThemeScript } from "@/components/theme-script";

import "./globals.css";

export const metadata: Metadata = {
  title: "Kanban board",
  description: "A kanban board to plan, move and finish work.",
};

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" suppressHydrationWarning>
      <body className="antialiased">
        <ThemeScript />
        {children}
      </body>
    </html>
  );
}
