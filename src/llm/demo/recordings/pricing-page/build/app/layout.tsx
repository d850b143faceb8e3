import type { Metadata } from "next";
import "./globals.css";

import { PRODUCT } from "@/lib/pricing";

export const metadata: Metadata = {
  title: `Pricing – ${PRODUCT}`,
  description: `What ${PRODUCT} costs, plan by plan.`,
};

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" className="scroll-smooth" data-scroll-behavior="smooth" suppressHydrationWarning>
      <body className="min-h-dvh">{children}</body>
    </html>
  );
}
