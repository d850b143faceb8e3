import { ChevronRightIcon, CircleAlertIcon, FolderIcon, MailIcon, SearchIcon, TerminalIcon } from "lucide-react";

import { Alert, AlertAction, AlertDescription, AlertTitle } from "@/components/ui/alert";
import { AspectRatio } from "@/components/ui/aspect-ratio";
import { Avatar, AvatarBadge, AvatarFallback, AvatarGroup, AvatarGroupCount, AvatarImage } from "@/components/ui/avatar";
import { Badge, badgeVariants } from "@/components/ui/badge";
import {
  Breadcrumb,
  BreadcrumbEllipsis,
  BreadcrumbItem,
  BreadcrumbLink,
  BreadcrumbList,
  BreadcrumbPage,
  BreadcrumbSeparator,
} from "@/components/ui/breadcrumb";
import { Button, buttonVariants } from "@/components/ui/button";
import { ButtonGroup, ButtonGroupSeparator, ButtonGroupText, buttonGroupVariants } from "@/components/ui/button-group";
import { Card, CardAction, CardContent, CardDescription, CardFooter, CardHeader, CardTitle } from "@/components/ui/card";
import { Empty, EmptyContent, EmptyDescription, EmptyHeader, EmptyMedia, EmptyTitle } from "@/components/ui/empty";
import {
  Item,
  ItemActions,
  ItemContent,
  ItemDescription,
  ItemFooter,
  ItemGroup,
  ItemHeader,
  ItemMedia,
  ItemSeparator,
  ItemTitle,
} from "@/components/ui/item";
import { Kbd, KbdGroup } from "@/components/ui/kbd";
import { markerVariants } from "@/components/ui/marker";
import {
  NavigationMenu,
  NavigationMenuItem,
  NavigationMenuLink,
  NavigationMenuList,
  navigationMenuTriggerStyle,
} from "@/components/ui/navigation-menu";
import {
  Pagination,
  PaginationContent,
  PaginationEllipsis,
  PaginationItem,
  PaginationLink,
  PaginationNext,
  PaginationPrevious,
} from "@/components/ui/pagination";
import { Progress } from "@/components/ui/progress";
import { ScrollArea, ScrollBar } from "@/components/ui/scroll-area";
import { Separator } from "@/components/ui/separator";
import { Skeleton } from "@/components/ui/skeleton";
import { Spinner } from "@/components/ui/spinner";
import {
  Table,
  TableBody,
  TableCaption,
  TableCell,
  TableFooter,
  TableHead,
  TableHeader,
  TableRow,
} from "@/components/ui/table";
import { Chat } from "./chat";
import { Disclosures, Moving } from "./data";
import { Dates, Fields, Inputs } from "./inputs";
import { Menus, Overlays } from "./overlays";
import { Section } from "./section";

const picture =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90"><rect width="160" height="90" fill="#6366f1"/><circle cx="110" cy="34" r="14" fill="#fde68a"/><path d="M0 90 50 40l34 34 24-22 52 38z" fill="#312e81"/></svg>',
  );

const invoices = [
  { number: "INV-001", status: "Paid", amount: 250 },
  { number: "INV-002", status: "Pending", amount: 150 },
  { number: "INV-003", status: "Unpaid", amount: 350 },
];

export default function Gallery() {
  return (
    <main className="mx-auto grid max-w-6xl gap-5 p-5 md:grid-cols-2">
      <header className="flex flex-wrap items-center justify-between gap-3 md:col-span-2">
        <h1 className="text-2xl font-semibold tracking-tight">Gallery</h1>
        {/* In a component of the server, as most headers are. */}
        <NavigationMenu viewport={false} aria-label="Site">
          <NavigationMenuList>
            <NavigationMenuItem>
              <NavigationMenuLink href="/sidebar" className={navigationMenuTriggerStyle()}>
                Sidebar
              </NavigationMenuLink>
            </NavigationMenuItem>
          </NavigationMenuList>
        </NavigationMenu>
      </header>

      <Section name="button">
        <Button>Default</Button>
        <Button variant="secondary">Secondary</Button>
        <Button variant="outline">Outline</Button>
        <Button variant="destructive">Destructive</Button>
        <Button variant="ghost">Ghost</Button>
        <Button variant="link">Link</Button>
        <Button size="xs">Extra small</Button>
        <Button size="sm" disabled>
          <Spinner /> Saving
        </Button>
        <Button size="icon" variant="outline" aria-label="Search">
          <SearchIcon />
        </Button>
        <a href="#" className={buttonVariants({ variant: "outline", size: "sm" })}>
          A link
        </a>
      </Section>

      <Section name="button-group">
        <ButtonGroup>
          <Button variant="outline">Archive</Button>
          <Button variant="outline">Report</Button>
        </ButtonGroup>
        <ButtonGroup>
          <Button variant="secondary">Copy</Button>
          <ButtonGroupSeparator />
          <Button variant="secondary">Paste</Button>
        </ButtonGroup>
        <ButtonGroup>
          <ButtonGroupText>https://</ButtonGroupText>
          <Button variant="outline">Visit</Button>
        </ButtonGroup>
        <ButtonGroup orientation="vertical" aria-label="Zoom">
          <Button variant="outline">In</Button>
          <Button variant="outline">Out</Button>
        </ButtonGroup>
        <div className={buttonGroupVariants()}>
          <Button variant="outline">One</Button>
          <Button variant="outline">Two</Button>
        </div>
      </Section>

      <Section name="badge">
        <Badge>New</Badge>
        <Badge variant="secondary">Draft</Badge>
        <Badge variant="destructive">Failed</Badge>
        <Badge variant="outline">Outline</Badge>
        <Badge variant="ghost">Ghost</Badge>
        <a href="#" className={badgeVariants({ variant: "link" })}>
          Link
        </a>
      </Section>

      <Section name="avatar">
        <Avatar size="lg">
          <AvatarImage src={picture} alt="A landscape" />
          <AvatarFallback>LA</AvatarFallback>
          <AvatarBadge />
        </Avatar>
        <AvatarGroup>
          <Avatar>
            <AvatarFallback>MB</AvatarFallback>
          </Avatar>
          <Avatar>
            <AvatarFallback>JK</AvatarFallback>
          </Avatar>
          <AvatarGroupCount>+3</AvatarGroupCount>
        </AvatarGroup>
      </Section>

      <Section name="alert">
        <Alert>
          <TerminalIcon />
          <AlertTitle>Heads up</AlertTitle>
          <AlertDescription>The nightly backup took longer than usual.</AlertDescription>
          <AlertAction>
            <Button size="xs" variant="outline">
              View
            </Button>
          </AlertAction>
        </Alert>
        <Alert variant="destructive">
          <CircleAlertIcon />
          <AlertTitle>Payment failed</AlertTitle>
          <AlertDescription>Your card was declined. Try another one.</AlertDescription>
        </Alert>
      </Section>

      <Section name="card">
        <Card className="w-full">
          <CardHeader>
            <CardTitle>Team plan</CardTitle>
            <CardDescription>Five seats, billed yearly</CardDescription>
            <CardAction>
              <Badge variant="secondary">Active</Badge>
            </CardAction>
          </CardHeader>
          <CardContent className="space-y-2 text-sm">
            <p>Three of five seats are taken.</p>
            <Progress value={60} aria-label="Seats taken" />
          </CardContent>
          <CardFooter>
            <Button className="w-full">Invite someone</Button>
          </CardFooter>
        </Card>
        <Card size="sm" className="w-full">
          <CardHeader>
            <CardTitle>Small</CardTitle>
            <CardDescription>With less room around</CardDescription>
          </CardHeader>
          <CardContent className="text-sm">For lists and asides.</CardContent>
        </Card>
      </Section>

      <Section name="breadcrumb">
        <Breadcrumb>
          <BreadcrumbList>
            <BreadcrumbItem>
              <BreadcrumbLink href="#">Home</BreadcrumbLink>
            </BreadcrumbItem>
            <BreadcrumbSeparator />
            <BreadcrumbItem>
              <BreadcrumbEllipsis />
            </BreadcrumbItem>
            <BreadcrumbSeparator />
            <BreadcrumbItem>
              <BreadcrumbPage>Invoices</BreadcrumbPage>
            </BreadcrumbItem>
          </BreadcrumbList>
        </Breadcrumb>
      </Section>

      <Section name="pagination">
        <Pagination>
          <PaginationContent>
            <PaginationItem>
              <PaginationPrevious href="#" />
            </PaginationItem>
            <PaginationItem>
              <PaginationLink href="#">1</PaginationLink>
            </PaginationItem>
            <PaginationItem>
              <PaginationLink href="#" isActive>
                2
              </PaginationLink>
            </PaginationItem>
            <PaginationItem>
              <PaginationEllipsis />
            </PaginationItem>
            <PaginationItem>
              <PaginationNext href="#" />
            </PaginationItem>
          </PaginationContent>
        </Pagination>
      </Section>

      <Section name="table">
        <Table>
          <TableCaption>Your latest invoices</TableCaption>
          <TableHeader>
            <TableRow>
              <TableHead>Invoice</TableHead>
              <TableHead>Status</TableHead>
              <TableHead className="text-right">Amount</TableHead>
            </TableRow>
          </TableHeader>
          <TableBody>
            {invoices.map((invoice) => (
              <TableRow key={invoice.number}>
                <TableCell className="font-medium">{invoice.number}</TableCell>
                <TableCell>{invoice.status}</TableCell>
                <TableCell className="text-right tabular-nums">${invoice.amount}</TableCell>
              </TableRow>
            ))}
          </TableBody>
          <TableFooter>
            <TableRow>
              <TableCell colSpan={2}>Total</TableCell>
              <TableCell className="text-right tabular-nums">$750</TableCell>
            </TableRow>
          </TableFooter>
        </Table>
      </Section>

      <Section name="item">
        <ItemGroup className="w-full rounded-md border">
          <Item>
            <ItemMedia variant="icon">
              <MailIcon />
            </ItemMedia>
            <ItemContent>
              <ItemTitle>Weekly report</ItemTitle>
              <ItemDescription>Sent every Monday at nine</ItemDescription>
            </ItemContent>
            <ItemActions>
              <Button size="sm" variant="outline">
                Edit
              </Button>
            </ItemActions>
          </Item>
          <ItemSeparator />
          <Item>
            <ItemHeader>
              <Badge variant="secondary">New</Badge>
            </ItemHeader>
            <ItemContent>
              <ItemTitle>Monthly report</ItemTitle>
            </ItemContent>
            <ItemFooter className={markerVariants()}>Sent on the first</ItemFooter>
          </Item>
          <ItemSeparator />
          <Item size="sm" asChild>
            <a href="#">
              <ItemContent>
                <ItemTitle>Notifications</ItemTitle>
              </ItemContent>
              <ItemActions>
                <ChevronRightIcon className="size-4" />
              </ItemActions>
            </a>
          </Item>
        </ItemGroup>
      </Section>

      <Section name="empty">
        <Empty className="border">
          <EmptyHeader>
            <EmptyMedia variant="icon">
              <FolderIcon />
            </EmptyMedia>
            <EmptyTitle>No projects yet</EmptyTitle>
            <EmptyDescription>Create one to see it here.</EmptyDescription>
          </EmptyHeader>
          <EmptyContent>
            <Button size="sm">Create a project</Button>
          </EmptyContent>
        </Empty>
      </Section>

      <Section name="aspect-ratio">
        <AspectRatio ratio={16 / 9} className="overflow-hidden rounded-md">
          <img src={picture} alt="A landscape" className="size-full object-cover" />
        </AspectRatio>
      </Section>

      <Section name="progress">
        <Progress value={33} aria-label="Upload" />
      </Section>
      <Section name="spinner">
        <Spinner className="size-6" />
      </Section>
      <Section name="skeleton">
        <Skeleton className="size-10 rounded-full" />
        <div className="grid gap-2">
          <Skeleton className="h-4 w-40" />
          <Skeleton className="h-4 w-28" />
        </div>
      </Section>
      <Section name="kbd">
        <KbdGroup>
          <Kbd>Ctrl</Kbd>
          <span>+</span>
          <Kbd>K</Kbd>
        </KbdGroup>
      </Section>
      <Section name="separator">
        <div className="flex h-5 items-center gap-3 text-sm">
          <span>Docs</span>
          <Separator orientation="vertical" />
          <span>Source</span>
        </div>
        <Separator />
      </Section>
      <Section name="scroll-area">
        <ScrollArea className="h-32 w-full rounded-md border">
          <ol className="p-3 text-sm">
            {Array.from({ length: 30 }, (_, index) => (
              <li key={index}>Release 1.{30 - index}</li>
            ))}
          </ol>
        </ScrollArea>
        <ScrollArea className="w-full rounded-md border whitespace-nowrap">
          <p className="p-3 text-sm">{Array.from({ length: 30 }, (_, index) => `Week ${index + 1}`).join(" · ")}</p>
          <ScrollBar orientation="horizontal" />
        </ScrollArea>
      </Section>

      <Chat picture={picture} />
      <Inputs />
      <Dates />
      <Fields />
      <Disclosures />
      <Moving />
      <Overlays />
      <Menus />
    </main>
  );
}
