"use client";

import { themeScript } from "@/lib/theme";

/**
 * Sets the theme while the browser reads the server's HTML. In the browser React never runs a script,
 * so there it is rendered as plain data.
 */
export function ThemeScript() {
  return (
    <script
      type={typeof window === "undefined" ? "text/javascript" : "text/plain"}
      suppressHydrationWarning
      dangerouslySetInnerHTML={{ __html: themeScript }}
    />
  );
}
