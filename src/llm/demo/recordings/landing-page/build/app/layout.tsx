import type { Metadata } from "next";
import "./globals.css";

import { product } from "@/lib/content";

export const metadata: Metadata = {
  title: `${product.name}: ${product.claim.toLowerCase()}`,
  description: product.description,
};

export default function RootLayout({ children }: Readonly<{ children: React.ReactNode }>) {
  return (
    <html lang="en" className="scroll-smooth" data-scroll-behavior="smooth" suppressHydrationWarning>
      <body className="min-h-dvh">{children}</body>
    </html>
  );
}
