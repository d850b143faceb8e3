"use client";

import * as React from "react";
import { ChevronsUpDownIcon } from "lucide-react";
import { Bar, BarChart, CartesianGrid, Label as ChartLabel, Line, LineChart, Pie, PieChart, XAxis } from "recharts";

import { Accordion, AccordionContent, AccordionItem, AccordionTrigger } from "@/components/ui/accordion";
import { Button } from "@/components/ui/button";
import {
  Carousel,
  CarouselContent,
  CarouselItem,
  CarouselNext,
  CarouselPrevious,
  useCarousel,
  type CarouselApi,
} from "@/components/ui/carousel";
import {
  ChartContainer,
  ChartLegend,
  ChartLegendContent,
  ChartTooltip,
  ChartTooltipContent,
  type ChartConfig,
} from "@/components/ui/chart";
import { Collapsible, CollapsibleContent, CollapsibleTrigger } from "@/components/ui/collapsible";
import { DirectionProvider, useDirection } from "@/components/ui/direction";
import { ResizableHandle, ResizablePanel, ResizablePanelGroup } from "@/components/ui/resizable";
import { Tabs, TabsContent, TabsList, TabsTrigger, tabsListVariants } from "@/components/ui/tabs";
import { Section } from "./section";

function Reading() {
  return <span className="text-sm">Reads {useDirection()}</span>;
}

export function Disclosures() {
  return (
    <>
      <Section name="accordion">
        <Accordion type="single" collapsible className="w-full">
          <AccordionItem value="returns">
            <AccordionTrigger>Can I return it?</AccordionTrigger>
            <AccordionContent>Within thirty days, unworn.</AccordionContent>
          </AccordionItem>
          <AccordionItem value="shipping">
            <AccordionTrigger>How long does shipping take?</AccordionTrigger>
            <AccordionContent>Two to four days.</AccordionContent>
          </AccordionItem>
        </Accordion>
      </Section>
      <Section name="collapsible">
        <Collapsible className="w-full space-y-2">
          <CollapsibleTrigger asChild>
            <Button variant="outline" size="sm">
              Three more <ChevronsUpDownIcon />
            </Button>
          </CollapsibleTrigger>
          <CollapsibleContent className="text-sm">Hidden until asked for</CollapsibleContent>
        </Collapsible>
      </Section>
      <Section name="tabs">
        <Tabs defaultValue="account" className="w-full">
          <TabsList>
            <TabsTrigger value="account">Account</TabsTrigger>
            <TabsTrigger value="password">Password</TabsTrigger>
          </TabsList>
          <TabsContent value="account">Your account</TabsContent>
          <TabsContent value="password">Your password</TabsContent>
        </Tabs>
        <Tabs defaultValue="overview">
          <TabsList variant="line">
            <TabsTrigger value="overview">Overview</TabsTrigger>
            <TabsTrigger value="activity">Activity</TabsTrigger>
          </TabsList>
        </Tabs>
        <Tabs defaultValue="profile" orientation="vertical">
          <TabsList>
            <TabsTrigger value="profile">Profile</TabsTrigger>
            <TabsTrigger value="billing">Billing</TabsTrigger>
          </TabsList>
          <TabsContent value="profile">Your profile</TabsContent>
          <TabsContent value="billing">Your invoices</TabsContent>
        </Tabs>
        <Tabs defaultValue="day" orientation="vertical">
          <TabsList variant="line">
            <TabsTrigger value="day">Day</TabsTrigger>
            <TabsTrigger value="night">Night</TabsTrigger>
          </TabsList>
        </Tabs>
        <div className={tabsListVariants()}>
          <span className="px-2 text-sm">Looks like a list of tabs</span>
        </div>
      </Section>
      <Section name="direction">
        <DirectionProvider direction="rtl">
          <Reading />
        </DirectionProvider>
      </Section>
    </>
  );
}

const visits = [
  { month: "January", desktop: 186, mobile: 80 },
  { month: "February", desktop: 305, mobile: 200 },
  { month: "March", desktop: 237, mobile: 120 },
  { month: "April", desktop: 73, mobile: 190 },
];

const config = {
  desktop: { label: "Desktop", color: "var(--chart-1)" },
  mobile: { label: "Mobile", theme: { light: "var(--chart-2)", dark: "var(--chart-3)" } },
} satisfies ChartConfig;

const shares = [
  { browser: "chrome", visitors: 275, fill: "var(--color-chrome)" },
  { browser: "safari", visitors: 200, fill: "var(--color-safari)" },
  { browser: "other", visitors: 90, fill: "var(--color-other)" },
];

const browsers = {
  visitors: { label: "Visitors" },
  chrome: { label: "Chrome", color: "var(--chart-1)" },
  safari: { label: "Safari", color: "var(--chart-2)" },
  other: { label: "Other", color: "var(--chart-5)" },
} satisfies ChartConfig;

const month = (value: string) => value.slice(0, 3);

function Ends() {
  const { canScrollNext } = useCarousel();
  return <span className="text-xs text-muted-foreground">{canScrollNext ? "There is more" : "That was all"}</span>;
}

export function Moving() {
  const [api, setApi] = React.useState<CarouselApi>();
  const [slide, setSlide] = React.useState(1);
  React.useEffect(() => {
    if (!api) return;
    const moved = () => setSlide(api.selectedScrollSnap() + 1);
    api.on("select", moved);
    return () => {
      api.off("select", moved);
    };
  }, [api]);
  return (
    <>
      <Section name="chart">
        <ChartContainer config={config} className="h-52 w-full">
          <BarChart accessibilityLayer data={visits}>
            <CartesianGrid vertical={false} />
            <XAxis dataKey="month" tickLine={false} tickMargin={10} axisLine={false} tickFormatter={month} />
            <ChartTooltip cursor={false} content={<ChartTooltipContent indicator="dashed" />} />
            <ChartLegend content={<ChartLegendContent />} />
            <Bar dataKey="desktop" fill="var(--color-desktop)" radius={4} />
            <Bar dataKey="mobile" fill="var(--color-mobile)" radius={4} />
          </BarChart>
        </ChartContainer>
        <ChartContainer config={config} className="h-40 w-full">
          <LineChart accessibilityLayer data={visits} margin={{ left: 16, right: 16 }}>
            <CartesianGrid vertical={false} />
            <XAxis dataKey="month" tickLine={false} axisLine={false} tickFormatter={month} />
            <ChartTooltip content={<ChartTooltipContent hideLabel />} />
            <Line dataKey="desktop" type="natural" stroke="var(--color-desktop)" strokeWidth={2} dot={false} />
          </LineChart>
        </ChartContainer>
        <ChartContainer config={browsers} className="mx-auto aspect-square h-52">
          <PieChart>
            <ChartTooltip content={<ChartTooltipContent nameKey="browser" hideLabel />} />
            <Pie data={shares} dataKey="visitors" nameKey="browser" innerRadius={48}>
              <ChartLabel position="center" value="565 visitors" className="fill-foreground" />
            </Pie>
            <ChartLegend content={<ChartLegendContent nameKey="browser" />} className="flex-wrap gap-2 font-medium" />
          </PieChart>
        </ChartContainer>
      </Section>
      <Section name="carousel">
        <Carousel className="mx-12 w-full max-w-xs">
          <CarouselContent>
            {[1, 2, 3].map((slide) => (
              <CarouselItem key={slide}>
                <div className="grid h-32 place-items-center rounded-md border bg-muted text-3xl font-semibold">{slide}</div>
              </CarouselItem>
            ))}
          </CarouselContent>
          <CarouselPrevious />
          <CarouselNext />
        </Carousel>
        <Carousel orientation="vertical" opts={{ align: "start" }} setApi={setApi} aria-label="News" className="my-12 w-full max-w-xs">
          <CarouselContent className="h-24">
            {["Monday", "Tuesday", "Wednesday"].map((day) => (
              <CarouselItem key={day}>
                <div className="grid h-20 place-items-center rounded-md border bg-muted text-sm">{day}</div>
              </CarouselItem>
            ))}
          </CarouselContent>
          <CarouselPrevious />
          <CarouselNext />
          <Ends />
        </Carousel>
        <span className="text-sm">Shows {slide}</span>
      </Section>
      <Section name="resizable">
        <div className="h-40 w-full overflow-hidden rounded-md border">
          <ResizablePanelGroup direction="horizontal">
            <ResizablePanel defaultSize={30} minSize={20}>
              <div className="grid h-full place-items-center text-sm">Files</div>
            </ResizablePanel>
            <ResizableHandle withHandle />
            <ResizablePanel defaultSize={70}>
              <ResizablePanelGroup orientation="vertical">
                <ResizablePanel defaultSize="60%">
                  <div className="grid h-full place-items-center text-sm">Editor</div>
                </ResizablePanel>
                <ResizableHandle withHandle />
                <ResizablePanel defaultSize="40%">
                  <div className="grid h-full place-items-center text-sm">Terminal</div>
                </ResizablePanel>
              </ResizablePanelGroup>
            </ResizablePanel>
          </ResizablePanelGroup>
        </div>
      </Section>
    </>
  );
}
