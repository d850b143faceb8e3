"use client";

import * as React from "react";
import { format, type Locale } from "date-fns";
import { CalendarIcon } from "lucide-react";
import { type DateRange } from "react-day-picker";

import { Button } from "@/components/ui/button";
import { Calendar } from "@/components/ui/calendar";
import { Popover, PopoverContent, PopoverTrigger } from "@/components/ui/popover";
import { cn } from "@/lib/utils";

type PickerProps<Value> = Omit<React.ComponentProps<typeof Button>, "value" | "defaultValue" | "onChange"> & {
  /** What is picked; leave it out for a picker that keeps it itself. */
  value?: Value;
  defaultValue?: Value;
  onValueChange?: (value: Value | undefined) => void;
  placeholder?: string;
  /** How a date is written, as in date-fns. */
  dateFormat?: string;
  /** What else the calendar is given, such as `disabled` or `captionLayout`. */
  calendarProps?: Partial<Omit<React.ComponentProps<typeof Calendar>, "mode" | "selected" | "onSelect" | "required">>;
};

/** Given a `value`, even an undefined one, the picker shows that; otherwise what was picked last. */
function usePicked<Value>(props: Pick<PickerProps<Value>, "value" | "defaultValue" | "onValueChange">) {
  const [own, setOwn] = React.useState(props.defaultValue);
  const pick = (value: Value | undefined) => {
    setOwn(value);
    props.onValueChange?.(value);
  };
  return ["value" in props ? props.value : own, pick] as const;
}

/** Dates are written in the calendar's language. */
const written = (date: Date, dateFormat: string, locale?: React.ComponentProps<typeof Calendar>["locale"]) =>
  format(date, dateFormat, { locale: locale as Locale | undefined });

function PickerTrigger({ className, children, empty, ...props }: React.ComponentProps<typeof Button> & { empty: boolean }) {
  return (
    <PopoverTrigger asChild>
      <Button
        type="button"
        variant="outline"
        data-slot="date-picker-trigger"
        data-empty={empty}
        className={cn("w-60 justify-start text-left font-normal data-[empty=true]:text-muted-foreground", className)}
        {...props}
      >
        <CalendarIcon />
        <span className="truncate">{children}</span>
      </Button>
    </PopoverTrigger>
  );
}

function DatePicker(all: PickerProps<Date>) {
  const {
    value: _value,
    defaultValue: _defaultValue,
    onValueChange: _onValueChange,
    placeholder = "Pick a date",
    dateFormat = "PPP",
    calendarProps,
    ...props
  } = all;
  const [open, setOpen] = React.useState(false);
  const [date, pick] = usePicked(all);

  return (
    <Popover open={open} onOpenChange={setOpen}>
      <PickerTrigger empty={!date} {...props}>
        {date ? written(date, dateFormat, calendarProps?.locale) : placeholder}
      </PickerTrigger>
      <PopoverContent
        className="max-h-(--radix-popover-content-available-height) w-auto overflow-y-auto p-0"
        align="start"
      >
        <Calendar
          autoFocus
          defaultMonth={date}
          {...calendarProps}
          mode="single"
          required={false}
          selected={date}
          onSelect={(date) => {
            pick(date);
            setOpen(false);
          }}
        />
      </PopoverContent>
    </Popover>
  );
}

function DateRangePicker(all: PickerProps<DateRange>) {
  const {
    value: _value,
    defaultValue: _defaultValue,
    onValueChange: _onValueChange,
    placeholder = "Pick dates",
    dateFormat = "LLL d, y",
    calendarProps,
    className,
    ...props
  } = all;
  const [range, pick] = usePicked(all);
  const dates = [range?.from, range?.to].flatMap((date) => (date ? [written(date, dateFormat, calendarProps?.locale)] : []));

  return (
    <Popover>
      <PickerTrigger empty={!range?.from} className={cn("w-72", className)} {...props}>
        {dates.join(" – ") || placeholder}
      </PickerTrigger>
      <PopoverContent
        className="max-h-(--radix-popover-content-available-height) w-auto overflow-y-auto p-0"
        align="start"
      >
        <Calendar
          autoFocus
          defaultMonth={range?.from}
          numberOfMonths={2}
          {...calendarProps}
          mode="range"
          required={false}
          selected={range}
          onSelect={pick}
        />
      </PopoverContent>
    </Popover>
  );
}

export { DatePicker, DateRangePicker };
