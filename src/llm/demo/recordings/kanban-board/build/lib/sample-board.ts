import type { Board } from "@/lib/board";

/** The cards of a first visit, also what the server renders. */
export const SAMPLE_BOARD: Board = {
  backlog: [
    {
      id: "sample-1",
      title: "Interview five early customers",
      description: "Find out which feature they would miss most, and why.",
      label: "research",
      priority: "medium",
    },
    {
      id: "sample-2",
      title: "Write the launch announcement",
      description: "Blog post, newsletter and a short version for social media.",
      label: "marketing",
      priority: "medium",
    },
    {
      id: "sample-3",
      title: "Draw empty states",
      description: "",
      label: "design",
      priority: "low",
    },
  ],
  progress: [
    {
      id: "sample-4",
      title: "Redesign the onboarding flow",
      description: "Three steps instead of seven; keep the progress indicator.",
      label: "design",
      priority: "high",
    },
    {
      id: "sample-5",
      title: "Export reports as CSV",
      description: "Stream large exports, so that the page stays responsive.",
      label: "engineering",
      priority: "medium",
    },
  ],
  review: [
    {
      id: "sample-6",
      title: "Speed up the dashboard",
      description: "Load charts on demand. Target: interactive in one second.",
      label: "engineering",
      priority: "high",
    },
    {
      id: "sample-7",
      title: "Pricing page copy",
      description: "",
      label: "marketing",
      priority: "low",
    },
  ],
  done: [
    {
      id: "sample-8",
      title: "Set up error monitoring",
      description: "Alerts go to the on-call channel.",
      label: "engineering",
      priority: "medium",
    },
    {
      id: "sample-9",
      title: "Competitor overview",
      description: "",
      label: "research",
      priority: "low",
    },
  ],
};
