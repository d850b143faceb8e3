import type { Metadata } from "next";

import { KanbanBoard } from "@/components/kanban-board";

export const metadata: Metadata = {
  title: "Product launch – Kanban board",
  description: "A kanban board to plan, move and finish work.",
};

export default function Page() {
  return <KanbanBoard />;
}
