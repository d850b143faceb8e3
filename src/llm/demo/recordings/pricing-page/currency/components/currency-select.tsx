import { ChevronDown } from "lucide-react";

import { CURRENCIES, type Currency } from "@/lib/pricing";

interface CurrencySelectProps {
  value: Currency;
  onChange: (currency: Currency) => void;
}

export function CurrencySelect({ value, onChange }: CurrencySelectProps) {
  return (
    <div className="relative">
      <select
        aria-label="Currency"
        value={value}
        onChange={(event) => onChange(event.target.value as Currency)}
        className="h-11 cursor-pointer appearance-none rounded-full border bg-background pr-10 pl-5 text-base font-medium transition-[color,box-shadow] outline-none focus-visible:border-ring focus-visible:ring-[3px] focus-visible:ring-ring/50 sm:text-sm"
      >
        {Object.entries(CURRENCIES).map(([code, name]) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </select>
      <ChevronDown
        aria-hidden
        className="pointer-events-none absolute top-1/2 right-4 size-4 -translate-y-1/2 text-muted-foreground"
      />
    </div>
  );
}
