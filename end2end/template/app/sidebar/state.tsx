"use client";

import { useSidebar } from "@/components/ui/sidebar";

export function State() {
  const { isMobile, state } = useSidebar();
  return <span className="text-sm text-muted-foreground">{isMobile ? "On a phone" : `It is ${state}`}</span>;
}
