import type { Metadata } from "next";
import "./globals.css";

export const metadata: Metadata = {
  title: "Todos",
  description: "A todo list with dark mode",
};

// Before the first paint, so that a dark page never flashes white.
const theme = `
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {}
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
`;

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <script dangerouslySetInnerHTML={{ __html: `(() => {${theme}})()` }} />
      </head>
      <body className="min-h-dvh">{children}</body>
    </html>
  );
}
