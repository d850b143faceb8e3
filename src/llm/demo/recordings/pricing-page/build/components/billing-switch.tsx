import type { Billing } from "@/lib/pricing";

const OPTIONS: readonly { value: Billing; label: string; hint?: string }[] = [
  { value: "monthly", label: "Monthly" },
  { value: "yearly", label: "Yearly", hint: "−20%" },
];

interface BillingSwitchProps {
  value: Billing;
  onChange: (billing: Billing) => void;
}

/** Two radio buttons that look like one switch: arrow keys move between them. */
export function BillingSwitch({ value, onChange }: BillingSwitchProps) {
  return (
    <fieldset className="inline-flex rounded-full border bg-muted p-1">
      <legend className="sr-only">Billing period</legend>
      {OPTIONS.map((option) => (
        <label
          key={option.value}
          className="relative flex h-9 cursor-pointer items-center gap-2 rounded-full px-5 text-sm font-medium text-muted-foreground transition-colors hover:text-foreground has-checked:bg-background has-checked:text-foreground has-checked:shadow-sm has-focus-visible:ring-[3px] has-focus-visible:ring-ring/50"
        >
          <input
            type="radio"
            name="billing"
            value={option.value}
            checked={value === option.value}
            onChange={() => onChange(option.value)}
            className="sr-only"
          />
          {option.label}
          {option.hint && (
            <span className="rounded-full bg-emerald-600/10 px-2 py-0.5 text-xs text-emerald-700 dark:bg-emerald-400/15 dark:text-emerald-300">
              {option.hint}
            </span>
          )}
        </label>
      ))}
    </fieldset>
  );
}
