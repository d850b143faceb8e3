import { Cloud, CloudFog, CloudLightning, CloudMoon, CloudRain, CloudSnow, CloudSun, Moon, Sun, type LucideIcon } from "lucide-react";

export type Condition = "clear" | "partly" | "cloudy" | "fog" | "rain" | "storm" | "snow";
export type Unit = "C" | "F";

export interface Day {
  condition: Condition;
  /** Degrees Celsius. */
  low: number;
  high: number;
  /** Chance of rain or snow, in percent. */
  rain: number;
}

export interface City {
  id: string;
  name: string;
  country: string;
  /** The local hour and day of the week now; Monday is 0. */
  hour: number;
  weekday: number;
  condition: Condition;
  /** Degrees Celsius. */
  temperature: number;
  feelsLike: number;
  /** Percent. */
  humidity: number;
  /** Kilometers per hour. */
  wind: number;
  uv: number;
  /** Hectopascal. */
  pressure: number;
  sunrise: string;
  sunset: string;
  /** Conditions from now on, one for every three hours. */
  outlook: Condition[];
  /** Seven days, today first. */
  days: Day[];
}

interface Look {
  label: string;
  icon: LucideIcon;
  night?: LucideIcon;
  /** The icon's color on a plain background. */
  tint: string;
  /** Behind white text. */
  sky: string;
}

export const CONDITIONS: Record<Condition, Look> = {
  clear: { label: "Clear", icon: Sun, night: Moon, tint: "text-amber-500", sky: "from-sky-600 to-blue-700" },
  partly: { label: "Partly cloudy", icon: CloudSun, night: CloudMoon, tint: "text-amber-500", sky: "from-sky-700 to-slate-600" },
  cloudy: { label: "Cloudy", icon: Cloud, tint: "text-slate-400", sky: "from-slate-600 to-slate-700" },
  fog: { label: "Fog", icon: CloudFog, tint: "text-slate-400", sky: "from-zinc-600 to-stone-600" },
  rain: { label: "Rain", icon: CloudRain, tint: "text-sky-500", sky: "from-slate-700 to-sky-800" },
  storm: { label: "Thunderstorms", icon: CloudLightning, tint: "text-violet-500", sky: "from-slate-800 to-violet-900" },
  snow: { label: "Snow", icon: CloudSnow, tint: "text-cyan-500", sky: "from-cyan-800 to-slate-600" },
};

const NIGHT_SKY = "from-slate-900 to-indigo-900";
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

export function isNight(city: City, hour = city.hour): boolean {
  return hour < Number.parseInt(city.sunrise) || hour >= Number.parseInt(city.sunset);
}

export function iconOf(condition: Condition, night: boolean): LucideIcon {
  const { icon, night: nightIcon } = CONDITIONS[condition];
  return night && nightIcon ? nightIcon : icon;
}

export function skyOf(city: City): string {
  const clear = city.condition === "clear" || city.condition === "partly";
  return clear && isNight(city) ? NIGHT_SKY : CONDITIONS[city.condition].sky;
}

export function degrees(celsius: number, unit: Unit): string {
  const value = Math.round(unit === "C" ? celsius : (celsius * 9) / 5 + 32);
  return `${value === 0 ? 0 : value}°`.replace("-", "−");
}

export function speed(kilometers: number, unit: Unit): string {
  return unit === "C" ? `${kilometers} km/h` : `${Math.round(kilometers / 1.609)} mph`;
}

export function dayName(city: City, index: number): string {
  return index === 0 ? "Today" : WEEKDAYS[(city.weekday + index) % 7];
}

export interface Hour {
  hour: number;
  condition: Condition;
  /** Degrees Celsius. */
  temperature: number;
}

/** The next 24 hours: warmest in the afternoon, coldest before sunrise, beginning with what it is now. */
export function hoursOf(city: City): Hour[] {
  const wave = (hour: number) => Math.cos(((hour - 15) / 24) * 2 * Math.PI);
  return Array.from({ length: 24 }, (_, index) => {
    const hour = (city.hour + index) % 24;
    const { low, high } = city.days[city.hour + index < 24 ? 0 : 1];
    const usual = (at: number) => (low + high) / 2 + ((high - low) / 2) * wave(at);
    // What it is now differs from the usual, and that wears off.
    const offset = (city.temperature - usual(city.hour)) * Math.max(0, 1 - index / 6);
    return { hour, condition: city.outlook[Math.floor(index / 3)], temperature: usual(hour) + offset };
  });
}
