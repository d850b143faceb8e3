import { CHANNELS, PRODUCTS, SAMPLE_DAYS, type Day } from "@/lib/sample-data";

/** Days up to the last one there is data for. */
export type Range = 7 | 30 | 90;

export const RANGES: readonly Range[] = [7, 30, 90];

export interface Totals {
  revenue: number;
  orders: number;
  visitors: number;
  /** Orders per visitor, in percent. */
  conversion: number;
}

export interface ProductRow {
  name: string;
  category: string;
  orders: number;
  revenue: number;
  /** Revenue compared to the period before, in percent. */
  change: number;
}

export interface Report {
  days: readonly Day[];
  /** As many days before them. */
  before: readonly Day[];
  totals: Totals;
  totalsBefore: Totals;
  weekdays: { weekday: string; newOrders: number; returningOrders: number }[];
  channels: { channel: string; visitors: number }[];
  products: ProductRow[];
}

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONDAY_FIRST = [1, 2, 3, 4, 5, 6, 0];

function sum(days: readonly Day[], of: (day: Day) => number): number {
  return days.reduce((total, day) => total + of(day), 0);
}

function totalsOf(days: readonly Day[]): Totals {
  const visitors = sum(days, (day) => day.visitors);
  const orders = sum(days, (day) => day.newOrders + day.returningOrders);
  return { revenue: sum(days, (day) => day.revenue), orders, visitors, conversion: (orders / visitors) * 100 };
}

export function percentChange(now: number, before: number): number {
  return ((now - before) / before) * 100;
}

/** Parts by their shares, rounded so that they add up to the whole. */
function split(whole: number, parts: typeof CHANNELS): Report["channels"] {
  let shares = 0;
  let given = 0;
  return parts.map(({ id, share }) => {
    shares += share;
    const visitors = Math.round((whole * shares) / 100) - given;
    given += visitors;
    return { channel: id, visitors };
  });
}

export function reportOf(range: Range): Report {
  const days = SAMPLE_DAYS.slice(-range);
  const before = SAMPLE_DAYS.slice(-2 * range, -range);
  const totals = totalsOf(days);
  const totalsBefore = totalsOf(before);
  return {
    days,
    before,
    totals,
    totalsBefore,
    weekdays: MONDAY_FIRST.map((weekday) => {
      const those = days.filter((day) => new Date(day.date).getUTCDay() === weekday);
      return {
        weekday: WEEKDAYS[weekday],
        newOrders: sum(those, (day) => day.newOrders),
        returningOrders: sum(those, (day) => day.returningOrders),
      };
    }),
    channels: split(totals.visitors, CHANNELS),
    products: PRODUCTS.map(({ name, category, orders, revenue, revenueBefore }) => ({
      name,
      category,
      orders: Math.round((totals.orders * orders) / 100),
      revenue: Math.round((totals.revenue * revenue) / 100),
      change: percentChange(totals.revenue * revenue, totalsBefore.revenue * revenueBefore),
    })),
  };
}

// One language and time zone, so that the server and the browser write the same.
const whole = new Intl.NumberFormat("en-US");
const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", notation: "compact" });
const shortDate = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", timeZone: "UTC" });

export const formatNumber = (value: number) => whole.format(value);
export const formatDollars = (value: number) => dollars.format(value);
export const formatCompactDollars = (value: number) => compact.format(value);
export const formatDate = (date: string) => shortDate.format(new Date(date));

/** With its sign: +4.2% or −1.0%. */
export function formatChange(percent: number): string {
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(1)}%`;
}
