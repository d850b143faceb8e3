import { CalendarRange, Clock, MessagesSquare, ShieldCheck, Waypoints, Workflow, type LucideIcon } from "lucide-react";

/** Every word and price of the page. */

export const product = {
  name: "Tideline",
  claim: "Plan the week before it plans you",
  description:
    "Tideline shows your team what is due, who has room, and what to let go. One calm plan instead of twelve noisy channels.",
};

export const links = [
  { href: "#features", label: "Features" },
  { href: "#pricing", label: "Pricing" },
  { href: "#questions", label: "Questions" },
];

export interface Feature {
  icon: LucideIcon;
  title: string;
  text: string;
}

export const features: Feature[] = [
  {
    icon: CalendarRange,
    title: "A plan at a glance",
    text: "Weeks side by side, everyone on one page. See what slips before it does.",
  },
  {
    icon: Clock,
    title: "Honest capacity",
    text: "Holidays, meetings and part-time days count, so a full week looks full.",
  },
  {
    icon: Waypoints,
    title: "Dependencies that move",
    text: "Shift one task and what waits for it moves along, with a note to its owner.",
  },
  {
    icon: MessagesSquare,
    title: "Updates without meetings",
    text: "Two lines a day from each of us become a summary that people do read.",
  },
  {
    icon: Workflow,
    title: "Fits your tools",
    text: "Issues, calendars and chat stay where they are. Tideline reads along.",
  },
  {
    icon: ShieldCheck,
    title: "Yours to keep",
    text: "Export everything at any time. Delete your account and it is gone.",
  },
];

export interface Plan {
  name: string;
  text: string;
  /** Euros per person and month. */
  monthly: number;
  yearly: number;
  includes: string[];
  action: string;
  popular?: boolean;
}

export const plans: Plan[] = [
  {
    name: "Solo",
    text: "For your own work, free for good.",
    monthly: 0,
    yearly: 0,
    includes: ["One plan", "Calendar sync", "Export at any time"],
    action: "Start free",
  },
  {
    name: "Team",
    text: "For teams that share a week.",
    monthly: 9,
    yearly: 7,
    includes: ["Unlimited plans", "Capacity and holidays", "Daily summaries", "Issue and chat integrations"],
    action: "Try 30 days free",
    popular: true,
  },
  {
    name: "Company",
    text: "For several teams and a security review.",
    monthly: 19,
    yearly: 15,
    includes: ["Everything in Team", "Single sign-on", "Audit log", "Help within four hours"],
    action: "Talk to us",
  },
];

export const questions = [
  {
    question: "Do we need a credit card to try it?",
    answer: "No. You get 30 days of Team with everything in it. After that you choose a plan, or go on with Solo for free.",
  },
  {
    question: "Can we change or cancel our plan later?",
    answer: "At any time, in two clicks. What you paid for and have not used is returned to you to the day.",
  },
  {
    question: "How long does it take to set up?",
    answer: "About ten minutes. Connect your calendar and your issues, and the first plan is drawn from what is already there.",
  },
  {
    question: "Where is our data?",
    answer: "In the European Union, encrypted at rest, with backups for 30 days. We never sell it, and never train on it.",
  },
];
