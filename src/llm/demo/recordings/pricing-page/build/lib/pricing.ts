/** Every plan, price and word of the page. */

export type Billing = "monthly" | "yearly";
export type PlanId = "starter" | "growth" | "scale";

export interface Plan {
  id: PlanId;
  name: string;
  text: string;
  /** Dollars per person and month, by how it is billed. */
  price: Record<Billing, number>;
  includes: string[];
  popular?: boolean;
}

export const PRODUCT = "Harbor";

export const PLANS: readonly Plan[] = [
  {
    id: "starter",
    name: "Starter",
    text: "One inbox that everyone can answer.",
    price: { monthly: 10, yearly: 8 },
    includes: ["1 shared inbox", "Assignments and notes", "500 saved replies", "30 days of history"],
  },
  {
    id: "growth",
    name: "Growth",
    text: "For teams that answer all day.",
    price: { monthly: 25, yearly: 20 },
    includes: ["10 shared inboxes", "Rules and automations", "Reports on response times", "Unlimited history"],
    popular: true,
  },
  {
    id: "scale",
    name: "Scale",
    text: "For several teams, with controls.",
    price: { monthly: 50, yearly: 40 },
    includes: ["Unlimited inboxes", "Single sign-on", "Audit log and roles", "A named contact"],
  },
];

/** What a plan has of a feature: all of it, none of it, or how much. */
export type Extent = boolean | string;

export interface FeatureGroup {
  name: string;
  features: { name: string; extent: Record<PlanId, Extent> }[];
}

export const COMPARISON: readonly FeatureGroup[] = [
  {
    name: "Inbox",
    features: [
      { name: "Shared inboxes", extent: { starter: "1", growth: "10", scale: "Unlimited" } },
      { name: "Conversation history", extent: { starter: "30 days", growth: "Unlimited", scale: "Unlimited" } },
      { name: "Assignments and notes", extent: { starter: true, growth: true, scale: true } },
      { name: "Rules and automations", extent: { starter: false, growth: true, scale: true } },
    ],
  },
  {
    name: "Insight",
    features: [
      { name: "Response-time reports", extent: { starter: false, growth: true, scale: true } },
      { name: "Satisfaction surveys", extent: { starter: false, growth: true, scale: true } },
      { name: "Data export", extent: { starter: "CSV", growth: "CSV", scale: "CSV and API" } },
    ],
  },
  {
    name: "Security and help",
    features: [
      { name: "Two-factor sign-in", extent: { starter: true, growth: true, scale: true } },
      { name: "Single sign-on", extent: { starter: false, growth: false, scale: true } },
      { name: "Audit log", extent: { starter: false, growth: false, scale: true } },
      { name: "Support", extent: { starter: "2 days", growth: "8 hours", scale: "1 hour" } },
    ],
  },
];

export const QUESTIONS = [
  {
    question: "Is there a free trial?",
    answer: "Every plan starts with 14 free days. You need no card, and nothing renews unless you say so.",
  },
  {
    question: "Who counts as a person?",
    answer: "Everyone who answers customers. Colleagues who only read or leave internal notes are free on every plan.",
  },
  {
    question: "Can I change plans later?",
    answer: "Yes, at any time. Going up takes effect at once, going down at the end of the period, and what you paid is set off to the day.",
  },
  {
    question: "What happens when I leave?",
    answer: "You export your conversations as CSV. We keep your account for 30 days in case you come back, then delete it.",
  },
];

export const MAX_PEOPLE = 200;

/** The cost of one billing period for all people, in dollars. */
export function periodTotal(plan: Plan, billing: Billing, people: number): number {
  return plan.price[billing] * people * (billing === "yearly" ? 12 : 1);
}

/** What yearly billing saves in a year compared to monthly, in dollars. */
export function yearlySaving(plan: Plan, people: number): number {
  return (plan.price.monthly - plan.price.yearly) * 12 * people;
}

const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 0 });

export function formatPrice(amount: number): string {
  return dollars.format(amount);
}
