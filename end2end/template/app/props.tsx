// Never shown: these are props and parts as shadcn documents them, which the type check has to take.
import * as React from "react";
import { de } from "react-day-picker/locale/de";
import { Bar, BarChart } from "recharts";

import { AlertDialog, AlertDialogContent, AlertDialogOverlay, AlertDialogPortal } from "@/components/ui/alert-dialog";
import { Button } from "@/components/ui/button";
import { Calendar, CalendarDayButton } from "@/components/ui/calendar";
import { Card } from "@/components/ui/card";
import type { CarouselApi } from "@/components/ui/carousel";
import { ChartContainer, ChartLegend, ChartLegendContent, ChartStyle } from "@/components/ui/chart";
import {
  Combobox,
  ComboboxCollection,
  ComboboxContent,
  ComboboxGroup,
  ComboboxInput,
  ComboboxItem,
  ComboboxLabel,
  ComboboxList,
  ComboboxTrigger,
  ComboboxValue,
} from "@/components/ui/combobox";
import { DatePicker } from "@/components/ui/date-picker";
import { Dialog, DialogFooter, DialogOverlay, DialogPortal } from "@/components/ui/dialog";
import { Drawer, DrawerContent, DrawerOverlay, DrawerPortal } from "@/components/ui/drawer";
import { MessageScrollerButton, MessageScrollerViewport } from "@/components/ui/message-scroller";
import { NavigationMenuViewport } from "@/components/ui/navigation-menu";
import { Questionnaire, QuestionnaireItem } from "@/components/ui/questionnaire";
import { SelectScrollDownButton, SelectScrollUpButton } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { Tabs, TabsList } from "@/components/ui/tabs";
import { ToggleGroup } from "@/components/ui/toggle-group";

const zones = [
  { value: "Europe", items: ["Berlin", "Lisbon"] },
  { value: "Asia", items: ["Kyoto", "Hanoi"] },
] as const;
const people = [{ value: "ada", label: "Ada" }];

export function Props() {
  const [zone, setZone] = React.useState<string | null>(null);
  const [chosen, setChosen] = React.useState<typeof people>([]);
  const [, setApi] = React.useState<CarouselApi>();
  void setApi;
  return (
    <>
      <Switch size="sm" />
      <Switch size="default" />
      <Card size="sm" />
      <Card size="default" />
      <Dialog>
        <DialogPortal>
          <DialogOverlay />
        </DialogPortal>
        <DialogFooter showCloseButton />
      </Dialog>
      <AlertDialog>
        <AlertDialogPortal>
          <AlertDialogOverlay />
          <AlertDialogContent size="sm" />
        </AlertDialogPortal>
      </AlertDialog>
      <Drawer direction="left">
        <DrawerPortal>
          <DrawerOverlay />
          <DrawerContent />
        </DrawerPortal>
      </Drawer>
      <ChartContainer config={{}}>
        <BarChart data={[]}>
          <Bar dataKey="one" />
          <ChartLegend content={<ChartLegendContent nameKey="one" />} className="-translate-y-2 flex-wrap" />
        </BarChart>
      </ChartContainer>
      <ChartStyle id="own" config={{ one: { color: "red" } }} />
      <Combobox items={zones} value={zone} onValueChange={setZone}>
        <ComboboxTrigger render={<Button variant="outline" />}>
          <ComboboxValue />
        </ComboboxTrigger>
        <ComboboxContent>
          <ComboboxInput showTrigger={false} placeholder="Search" />
          <ComboboxList>
            {(group: (typeof zones)[number]) => (
              <ComboboxGroup key={group.value} items={group.items}>
                <ComboboxLabel>{group.value}</ComboboxLabel>
                <ComboboxCollection>{(item: string) => <ComboboxItem key={item} value={item} />}</ComboboxCollection>
              </ComboboxGroup>
            )}
          </ComboboxList>
        </ComboboxContent>
      </Combobox>
      <Combobox items={people} multiple value={chosen} onValueChange={setChosen} itemToStringLabel={(person) => person.label} />
      <Combobox value={zone} onValueChange={setZone}>
        <ComboboxItem value="Berlin">Berlin</ComboboxItem>
      </Combobox>
      <Calendar mode="single" captionLayout="dropdown" fromYear={1990} toYear={2030} initialFocus />
      <Calendar
        mode="range"
        locale={de}
        fromDate={new Date(2026, 0, 1)}
        toDate={new Date(2026, 11, 31)}
        fromMonth={new Date(2026, 0)}
        toMonth={new Date(2026, 11)}
        disabled={{ dayOfWeek: [0] }}
        components={{ DayButton: (props) => <CalendarDayButton locale={de} {...props} /> }}
      />
      <DatePicker value={new Date(2026, 0, 1)} onValueChange={(date: Date | undefined) => date} calendarProps={{ locale: de }} />
      <ToggleGroup type="single" orientation="vertical" variant="outline" size="sm" spacing={2} />
      <Tabs orientation="vertical">
        <TabsList variant="line" />
      </Tabs>
      <Button data-variant="default" data-size="icon-lg" size="icon-lg" />
      <MessageScrollerViewport preserveScrollOnPrepend={false} />
      <MessageScrollerButton direction="start" behavior="instant" render={<Button variant="secondary" />} />
      <Questionnaire item="one" defaultItem="one" onItemChange={(name: string) => name} shortcuts="numbers">
        <QuestionnaireItem name="one" invalid onStatusChange={(status: "unanswered" | "answered" | "skipped") => status} />
      </Questionnaire>
      <NavigationMenuViewport />
      <SelectScrollUpButton />
      <SelectScrollDownButton />
    </>
  );
}
