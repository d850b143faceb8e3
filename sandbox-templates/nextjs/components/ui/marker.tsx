import * as React from "react";
import { cva, type VariantProps } from "class-variance-authority";
import { Slot } from "radix-ui";

import { cn } from "@/lib/utils";

const markerVariants = cva(
  "group/marker flex w-full items-center gap-2 text-left text-sm text-muted-foreground [a&]:underline-offset-4 [a&]:hover:text-foreground [a&]:hover:underline [&_a]:underline [&_a]:underline-offset-4 [&_a:hover]:text-foreground",
  {
    variants: {
      variant: {
        default: "",
        separator:
          "gap-3 text-center text-xs before:h-px before:flex-1 before:bg-border before:content-[''] after:h-px after:flex-1 after:bg-border after:content-['']",
        border: "border-b pb-2",
      },
    },
    defaultVariants: { variant: "default" },
  },
);

function Marker({
  className,
  variant = "default",
  asChild = false,
  ...props
}: React.ComponentProps<"div"> & VariantProps<typeof markerVariants> & { asChild?: boolean }) {
  const Comp = asChild ? Slot.Root : "div";
  return (
    <Comp data-slot="marker" data-variant={variant} className={cn(markerVariants({ variant }), className)} {...props} />
  );
}

function MarkerIcon({ className, ...props }: React.ComponentProps<"span">) {
  return (
    <span
      data-slot="marker-icon"
      aria-hidden="true"
      className={cn("flex size-4 shrink-0 items-center justify-center [&_svg:not([class*='size-'])]:size-4", className)}
      {...props}
    />
  );
}

function MarkerContent({ className, ...props }: React.ComponentProps<"span">) {
  return <span data-slot="marker-content" className={cn("min-w-0 wrap-break-word", className)} {...props} />;
}

export { Marker, MarkerIcon, MarkerContent, markerVariants };
