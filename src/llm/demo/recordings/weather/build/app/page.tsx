import { WeatherApp } from "@/components/weather-app";

export default function Home() {
  return <WeatherApp />;
}
