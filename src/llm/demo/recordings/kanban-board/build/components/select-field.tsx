import { ChevronDown } from "lucide-react";

import { Label } from "@/components/ui/label";

interface SelectFieldProps {
  id: string;
  name: string;
  label: string;
  options: readonly { value: string; name: string }[];
  defaultValue: string;
}

export function SelectField({ id, name, label, options, defaultValue }: SelectFieldProps) {
  return (
    <div className="grid gap-2">
      <Label htmlFor={id}>{label}</Label>
      <div className="relative">
        <select
          id={id}
          name={name}
          defaultValue={defaultValue}
          className="h-9 w-full appearance-none rounded-md border border-input bg-background px-3 pr-9 text-base shadow-xs transition-[color,box-shadow] outline-none focus-visible:border-ring focus-visible:ring-[3px] focus-visible:ring-ring/50 md:text-sm"
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.name}
            </option>
          ))}
        </select>
        <ChevronDown
          aria-hidden
          className="pointer-events-none absolute top-1/2 right-3 size-4 -translate-y-1/2 text-muted-foreground"
        />
      </div>
    </div>
  );
}
