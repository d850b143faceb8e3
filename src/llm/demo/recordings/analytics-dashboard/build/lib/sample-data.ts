export interface Day {
  /** As in 2026-06-30. */
  date: string;
  visitors: number;
  newOrders: number;
  returningOrders: number;
  /** Dollars. */
  revenue: number;
}

export interface Product {
  name: string;
  category: string;
  /** Shares of all orders and of the revenue, in percent. */
  orders: number;
  revenue: number;
  /** Its share of the revenue one period before. */
  revenueBefore: number;
}

const LAST_DAY = Date.UTC(2026, 5, 30);
const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS = 180;

/** How busy a day of the week is; Sunday first. */
const WEEK = [0.82, 0.94, 1, 1.02, 1.06, 1.2, 1.1];

/** A number from 0 to 1 that looks random and is always the same (mulberry32). */
function noise(seed: number): number {
  let state = (seed * 0x6d2b79f5) | 0;
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 4294967296;
}

function makeDay(index: number): Day {
  const date = new Date(LAST_DAY - (DAYS - 1 - index) * DAY_MS);
  const growth = 1 + (index / DAYS) * 0.55;
  const visitors = Math.round(1450 * growth * WEEK[date.getUTCDay()] * (0.88 + noise(index + 1) * 0.24));
  const orders = Math.round(visitors * (0.026 + noise(index + 500) * 0.009));
  const newOrders = Math.round(orders * (0.55 + noise(index + 900) * 0.12));
  return {
    date: date.toISOString().slice(0, 10),
    visitors,
    newOrders,
    returningOrders: orders - newOrders,
    revenue: Math.round(orders * (33 + noise(index + 1300) * 8)),
  };
}

/** Half a year of a coffee shop, oldest day first. */
export const SAMPLE_DAYS: readonly Day[] = Array.from({ length: DAYS }, (_, index) => makeDay(index));

/** Where visitors come from: shares in percent. */
export const CHANNELS = [
  { id: "search", share: 38 },
  { id: "direct", share: 24 },
  { id: "social", share: 17 },
  { id: "email", share: 13 },
  { id: "referral", share: 8 },
] as const;

export const PRODUCTS: readonly Product[] = [
  { name: "House espresso, 1 kg", category: "Beans", orders: 16, revenue: 18, revenueBefore: 17.1 },
  { name: "Ethiopia Guji, 250 g", category: "Beans", orders: 14, revenue: 9, revenueBefore: 8.1 },
  { name: "Colombia Huila, 250 g", category: "Beans", orders: 12, revenue: 8, revenueBefore: 8.9 },
  { name: "Decaf Peru, 250 g", category: "Beans", orders: 8, revenue: 5, revenueBefore: 4.6 },
  { name: "Tasting box", category: "Beans", orders: 9, revenue: 9, revenueBefore: 7.3 },
  { name: "Hand grinder", category: "Equipment", orders: 5, revenue: 14, revenueBefore: 13.6 },
  { name: "Pour-over kettle", category: "Equipment", orders: 4, revenue: 12, revenueBefore: 13.5 },
  { name: "Glass dripper", category: "Equipment", orders: 7, revenue: 7, revenueBefore: 7.4 },
  { name: "Paper filters, 100", category: "Supplies", orders: 13, revenue: 4, revenueBefore: 4.3 },
  { name: "Stoneware cup", category: "Supplies", orders: 6, revenue: 5, revenueBefore: 5.8 },
  { name: "Cleaning tablets", category: "Supplies", orders: 4, revenue: 2, revenueBefore: 2.6 },
  { name: "Barista class", category: "Classes", orders: 2, revenue: 7, revenueBefore: 6.8 },
];
