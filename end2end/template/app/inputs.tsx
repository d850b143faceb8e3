"use client";

import * as React from "react";
import { zodResolver } from "@hookform/resolvers/zod";
import { BoldIcon, ItalicIcon, SearchIcon, UnderlineIcon } from "lucide-react";
import { useForm } from "react-hook-form";
import { toast } from "sonner";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { Calendar, CalendarDayButton } from "@/components/ui/calendar";
import { Checkbox } from "@/components/ui/checkbox";
import {
  Combobox,
  ComboboxChip,
  ComboboxChips,
  ComboboxChipsInput,
  ComboboxClear,
  ComboboxCollection,
  ComboboxContent,
  ComboboxEmpty,
  ComboboxGroup,
  ComboboxInput,
  ComboboxItem,
  ComboboxLabel,
  ComboboxList,
  ComboboxSeparator,
  ComboboxTrigger,
  ComboboxValue,
  useComboboxAnchor,
} from "@/components/ui/combobox";
import { DatePicker, DateRangePicker } from "@/components/ui/date-picker";
import {
  Field,
  FieldContent,
  FieldDescription,
  FieldError,
  FieldGroup,
  FieldLabel,
  FieldLegend,
  FieldSeparator,
  FieldSet,
  FieldTitle,
} from "@/components/ui/field";
import {
  Form,
  FormControl,
  FormDescription,
  FormField,
  FormItem,
  FormLabel,
  FormMessage,
  useFormField,
} from "@/components/ui/form";
import { Input } from "@/components/ui/input";
import {
  InputGroup,
  InputGroupAddon,
  InputGroupButton,
  InputGroupInput,
  InputGroupText,
  InputGroupTextarea,
} from "@/components/ui/input-group";
import { InputOTP, InputOTPGroup, InputOTPSeparator, InputOTPSlot } from "@/components/ui/input-otp";
import { Label } from "@/components/ui/label";
import { NativeSelect, NativeSelectOptGroup, NativeSelectOption } from "@/components/ui/native-select";
import { RadioGroup, RadioGroupItem } from "@/components/ui/radio-group";
import {
  Select,
  SelectContent,
  SelectGroup,
  SelectItem,
  SelectLabel,
  SelectSeparator,
  SelectTrigger,
  SelectValue,
} from "@/components/ui/select";
import { Slider } from "@/components/ui/slider";
import { Switch } from "@/components/ui/switch";
import { Textarea } from "@/components/ui/textarea";
import { Toggle, toggleVariants } from "@/components/ui/toggle";
import { ToggleGroup, ToggleGroupItem } from "@/components/ui/toggle-group";
import { Section } from "./section";

const frameworks = ["Next.js", "SvelteKit", "Nuxt", "Remix", "Astro"];
const zones = [
  { value: "Europe", items: ["Berlin", "Lisbon"] },
  { value: "Asia", items: ["Hanoi", "Kyoto"] },
];
const people = [
  { value: "ada", label: "Ada Lovelace" },
  { value: "grace", label: "Grace Hopper" },
  { value: "alan", label: "Alan Turing" },
];

export function Inputs() {
  const anchor = useComboboxAnchor();
  return (
    <>
      <Section name="input">
        <Label htmlFor="email">Email</Label>
        <Input id="email" type="email" placeholder="you@example.com" />
        <Input type="file" aria-label="A file" />
      </Section>
      <Section name="textarea">
        <Label htmlFor="message">Message</Label>
        <Textarea id="message" placeholder="What happened?" />
      </Section>
      <Section name="label">
        <Label htmlFor="terms">
          <Checkbox id="terms" /> Accept the terms
        </Label>
      </Section>
      <Section name="checkbox">
        <Checkbox id="digest" defaultChecked />
        <Label htmlFor="digest">Weekly digest</Label>
      </Section>
      <Section name="switch">
        <Switch id="airplane" />
        <Label htmlFor="airplane">Airplane mode</Label>
        <Switch id="quiet" size="sm" defaultChecked />
        <Label htmlFor="quiet">Quiet</Label>
      </Section>
      <Section name="radio-group">
        <RadioGroup defaultValue="comfortable" aria-label="Density">
          {["default", "comfortable", "compact"].map((density) => (
            <div key={density} className="flex items-center gap-3">
              <RadioGroupItem value={density} id={density} />
              <Label htmlFor={density} className="capitalize">
                {density}
              </Label>
            </div>
          ))}
        </RadioGroup>
      </Section>
      <Section name="slider">
        <Slider defaultValue={[40]} aria-label="Volume" />
        <Slider defaultValue={[20, 70]} aria-label="Price" />
        <div className="h-44">
          <Slider defaultValue={[60]} orientation="vertical" aria-label="Bass" />
        </div>
      </Section>
      <Section name="toggle">
        <Toggle aria-label="Bold" variant="outline">
          <BoldIcon />
        </Toggle>
        <button type="button" className={toggleVariants({ size: "sm" })}>
          Looks like one
        </button>
      </Section>
      <Section name="toggle-group">
        <ToggleGroup type="multiple" variant="outline" aria-label="Style">
          <ToggleGroupItem value="bold" aria-label="Bold text">
            <BoldIcon />
          </ToggleGroupItem>
          <ToggleGroupItem value="italic" aria-label="Italic text">
            <ItalicIcon />
          </ToggleGroupItem>
          <ToggleGroupItem value="underline" aria-label="Underlined text">
            <UnderlineIcon />
          </ToggleGroupItem>
        </ToggleGroup>
        <ToggleGroup type="single" spacing={2} defaultValue="week" aria-label="Period">
          <ToggleGroupItem value="week">Week</ToggleGroupItem>
          <ToggleGroupItem value="month">Month</ToggleGroupItem>
        </ToggleGroup>
        <ToggleGroup type="single" variant="outline" orientation="vertical" defaultValue="top" aria-label="Edge">
          <ToggleGroupItem value="top">Top</ToggleGroupItem>
          <ToggleGroupItem value="middle">Middle</ToggleGroupItem>
          <ToggleGroupItem value="bottom">Bottom</ToggleGroupItem>
        </ToggleGroup>
      </Section>
      <Section name="select">
        <Select>
          <SelectTrigger className="w-48" aria-label="Fruit">
            <SelectValue placeholder="Select a fruit" />
          </SelectTrigger>
          <SelectContent>
            <SelectGroup>
              <SelectLabel>Fruits</SelectLabel>
              <SelectItem value="apple">Apple</SelectItem>
              <SelectItem value="banana">Banana</SelectItem>
            </SelectGroup>
            <SelectSeparator />
            <SelectItem value="none" disabled>
              None
            </SelectItem>
          </SelectContent>
        </Select>
      </Section>
      <Section name="native-select">
        <NativeSelect aria-label="Priority" defaultValue="normal">
          <NativeSelectOption value="normal">Normal</NativeSelectOption>
          <NativeSelectOptGroup label="Special">
            <NativeSelectOption value="high">High</NativeSelectOption>
          </NativeSelectOptGroup>
        </NativeSelect>
      </Section>
      <Section name="combobox">
        <Combobox items={frameworks}>
          <ComboboxInput placeholder="Select a framework" aria-label="Framework" showClear />
          <ComboboxContent>
            <ComboboxEmpty>No framework found.</ComboboxEmpty>
            <ComboboxList>
              {(item: string) => (
                <ComboboxItem key={item} value={item}>
                  {item}
                </ComboboxItem>
              )}
            </ComboboxList>
          </ComboboxContent>
        </Combobox>
        <Combobox items={people} multiple defaultValue={[people[0]]} autoHighlight>
          <ComboboxChips ref={anchor}>
            <ComboboxValue>
              {(chosen: typeof people) => (
                <>
                  {chosen.map((person) => (
                    <ComboboxChip key={person.value}>{person.label}</ComboboxChip>
                  ))}
                  <ComboboxChipsInput aria-label="People" />
                </>
              )}
            </ComboboxValue>
          </ComboboxChips>
          <ComboboxContent anchor={anchor}>
            <ComboboxEmpty>Nobody found.</ComboboxEmpty>
            <ComboboxList>
              {(person: (typeof people)[number]) => (
                <ComboboxItem key={person.value} value={person}>
                  {person.label}
                </ComboboxItem>
              )}
            </ComboboxList>
          </ComboboxContent>
        </Combobox>
        <Combobox items={people} defaultValue={people[1]}>
          <Button variant="outline" className="w-52 justify-between font-normal" asChild>
            <ComboboxTrigger>
              <ComboboxValue />
            </ComboboxTrigger>
          </Button>
          <ComboboxContent>
            <ComboboxInput placeholder="Search" aria-label="Search people" />
            <ComboboxEmpty>Nobody found.</ComboboxEmpty>
            <ComboboxList>
              {(person: (typeof people)[number]) => (
                <ComboboxItem key={person.value} value={person}>
                  {person.label}
                </ComboboxItem>
              )}
            </ComboboxList>
          </ComboboxContent>
        </Combobox>
      </Section>
      <Section name="grouped combobox">
        <Combobox items={zones} defaultValue="Kyoto">
          <div className="flex items-center gap-1">
            <ComboboxTrigger
              aria-label="City"
              render={
                <Button variant="outline" className="w-52 justify-between font-normal">
                  <ComboboxValue placeholder="Anywhere" />
                </Button>
              }
            />
            <ComboboxClear />
          </div>
          <ComboboxContent>
            <ComboboxInput placeholder="Search" aria-label="Search cities" />
            <ComboboxEmpty>No city found.</ComboboxEmpty>
            <ComboboxList>
              {(zone: (typeof zones)[number], index: number) => (
                <ComboboxGroup key={zone.value} items={zone.items}>
                  {index > 0 && <ComboboxSeparator />}
                  <ComboboxLabel>{zone.value}</ComboboxLabel>
                  <ComboboxCollection>
                    {(city: string) => (
                      <ComboboxItem key={city} value={city}>
                        {city}
                      </ComboboxItem>
                    )}
                  </ComboboxCollection>
                </ComboboxGroup>
              )}
            </ComboboxList>
          </ComboboxContent>
        </Combobox>
      </Section>
      <Section name="input-group">
        <InputGroup>
          <InputGroupInput placeholder="Search" aria-label="Search the docs" />
          <InputGroupAddon>
            <SearchIcon />
          </InputGroupAddon>
          <InputGroupAddon align="inline-end">
            <InputGroupText>12 results</InputGroupText>
            <InputGroupButton variant="secondary">Go</InputGroupButton>
          </InputGroupAddon>
        </InputGroup>
        <InputGroup>
          <InputGroupTextarea placeholder="Ask anything" aria-label="Your question" />
          <InputGroupAddon align="block-end">
            <InputGroupText>0 of 200</InputGroupText>
            <InputGroupButton variant="default" className="ml-auto">
              Send
            </InputGroupButton>
          </InputGroupAddon>
        </InputGroup>
      </Section>
      <Section name="input-otp">
        <InputOTP maxLength={6} aria-label="Code">
          <InputOTPGroup>
            <InputOTPSlot index={0} />
            <InputOTPSlot index={1} />
            <InputOTPSlot index={2} />
          </InputOTPGroup>
          <InputOTPSeparator />
          <InputOTPGroup>
            <InputOTPSlot index={3} />
            <InputOTPSlot index={4} />
            <InputOTPSlot index={5} />
          </InputOTPGroup>
        </InputOTP>
      </Section>
    </>
  );
}

function Day(props: React.ComponentProps<typeof CalendarDayButton>) {
  return <CalendarDayButton {...props} className="tabular-nums" />;
}

export function Dates() {
  const [date, setDate] = React.useState<Date | undefined>(new Date(2026, 4, 12));
  const [due, setDue] = React.useState<Date>();
  return (
    <>
      <Section name="calendar">
        <Calendar mode="single" selected={date} onSelect={setDate} defaultMonth={date} className="rounded-md border" />
        <Calendar
          mode="range"
          defaultMonth={new Date(2026, 4, 1)}
          selected={{ from: new Date(2026, 4, 6), to: new Date(2026, 4, 14) }}
          captionLayout="dropdown"
          showWeekNumber
          fromYear={2020}
          toYear={2030}
          components={{ DayButton: Day }}
          className="rounded-md border"
        />
      </Section>
      <Section name="date-picker">
        <DatePicker
          value={due}
          onValueChange={setDue}
          placeholder="Due date"
          calendarProps={{ defaultMonth: new Date(2026, 4, 1) }}
        />
        <DateRangePicker placeholder="Your stay" calendarProps={{ defaultMonth: new Date(2026, 4, 1) }} />
      </Section>
    </>
  );
}

const schema = z.object({
  name: z.string().min(2, "The name is too short"),
  role: z.enum(["designer", "developer"], "Pick a role"),
  terms: z.boolean().refine((agreed) => agreed, "You have to agree"),
});

function Correct() {
  const { invalid } = useFormField();
  return invalid ? null : <span className="text-xs text-muted-foreground">Nothing wrong so far</span>;
}

export function Fields() {
  const form = useForm<z.input<typeof schema>, unknown, z.output<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: { name: "", terms: false },
  });
  return (
    <>
      <Section name="form">
        <Form {...form}>
          <form
            className="grid w-full gap-5"
            onSubmit={form.handleSubmit(({ name, role }) => toast.success(`Saved ${name}`, { description: `As ${role}` }))}
          >
            <FormField
              control={form.control}
              name="name"
              render={({ field }) => (
                <FormItem>
                  <FormLabel>Your name</FormLabel>
                  <FormControl>
                    <Input placeholder="Ada" {...field} />
                  </FormControl>
                  <FormDescription>As others see it.</FormDescription>
                  <Correct />
                  <FormMessage />
                </FormItem>
              )}
            />
            <FormField
              control={form.control}
              name="role"
              render={({ field }) => (
                <FormItem>
                  <FormLabel>Role</FormLabel>
                  <Select onValueChange={field.onChange} value={field.value ?? ""}>
                    <FormControl>
                      <SelectTrigger className="w-full">
                        <SelectValue placeholder="Pick one" />
                      </SelectTrigger>
                    </FormControl>
                    <SelectContent>
                      <SelectItem value="designer">Designer</SelectItem>
                      <SelectItem value="developer">Developer</SelectItem>
                    </SelectContent>
                  </Select>
                  <FormMessage />
                </FormItem>
              )}
            />
            <FormField
              control={form.control}
              name="terms"
              render={({ field }) => (
                <FormItem>
                  <div className="flex items-center gap-2">
                    <FormControl>
                      <Checkbox checked={field.value} onCheckedChange={field.onChange} />
                    </FormControl>
                    <FormLabel>I agree</FormLabel>
                  </div>
                  <FormMessage />
                </FormItem>
              )}
            />
            <Button type="submit">Save the form</Button>
          </form>
        </Form>
      </Section>
      <Section name="field">
        <FieldSet className="w-full">
          <FieldLegend>Address</FieldLegend>
          <FieldDescription>Where it is sent to</FieldDescription>
          <FieldGroup>
            <Field>
              <FieldLabel htmlFor="street">Street</FieldLabel>
              <Input id="street" placeholder="1 Main Street" />
            </Field>
            <Field data-invalid>
              <FieldLabel htmlFor="zip">Postcode</FieldLabel>
              <Input id="zip" defaultValue="12" aria-invalid />
              <FieldError errors={[{ message: "A postcode has five digits" }]} />
            </Field>
            <FieldSeparator>or</FieldSeparator>
            <Field orientation="horizontal">
              <FieldContent>
                <FieldLabel htmlFor="pickup">Pick it up</FieldLabel>
                <FieldDescription>At the shop around the corner</FieldDescription>
              </FieldContent>
              <Switch id="pickup" />
            </Field>
            <FieldLabel htmlFor="express">
              <Field orientation="horizontal">
                <FieldContent>
                  <FieldTitle>Express</FieldTitle>
                  <FieldDescription>There the next day</FieldDescription>
                </FieldContent>
                <Checkbox id="express" />
              </Field>
            </FieldLabel>
          </FieldGroup>
        </FieldSet>
      </Section>
    </>
  );
}
