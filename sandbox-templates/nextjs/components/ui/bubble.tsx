import * as React from "react";
import { cva, type VariantProps } from "class-variance-authority";
import { Slot } from "radix-ui";

import { cn } from "@/lib/utils";

function BubbleGroup({ className, ...props }: React.ComponentProps<"div">) {
  return <div data-slot="bubble-group" className={cn("flex min-w-0 flex-col gap-2", className)} {...props} />;
}

/** The colours of a variant, for its content. */
const bubbleVariants = cva(
  "group/bubble relative flex w-fit max-w-[80%] min-w-0 flex-col gap-1 data-[align=end]:self-end data-[variant=ghost]:max-w-full group-data-[align=end]/message:self-end",
  {
    variants: {
      variant: {
        default: "[--bubble-text:var(--primary-foreground)] [--bubble:var(--primary)]",
        secondary: "[--bubble-text:var(--secondary-foreground)] [--bubble:var(--secondary)]",
        muted: "[--bubble-text:var(--foreground)] [--bubble:var(--muted)]",
        tinted:
          "[--bubble-text:var(--foreground)] [--bubble:color-mix(in_oklab,var(--primary)_14%,var(--background))]",
        outline:
          "[--bubble-border:var(--border)] [--bubble-text:var(--foreground)] [--bubble:var(--background)]",
        ghost: "[--bubble-text:var(--foreground)] [--bubble:transparent]",
        destructive:
          "[--bubble-text:color-mix(in_oklab,var(--destructive)_80%,var(--foreground))] [--bubble:color-mix(in_oklab,var(--destructive)_12%,var(--background))]",
      },
    },
    defaultVariants: { variant: "default" },
  },
);

function Bubble({
  className,
  variant = "default",
  align = "start",
  ...props
}: React.ComponentProps<"div"> & VariantProps<typeof bubbleVariants> & { align?: "start" | "end" }) {
  return (
    <div
      data-slot="bubble"
      data-variant={variant}
      data-align={align}
      className={cn(bubbleVariants({ variant }), className)}
      {...props}
    />
  );
}

function BubbleContent({ className, asChild = false, ...props }: React.ComponentProps<"div"> & { asChild?: boolean }) {
  const Comp = asChild ? Slot.Root : "div";
  return (
    <Comp
      data-slot="bubble-content"
      className={cn(
        "w-fit max-w-full min-w-0 overflow-hidden rounded-2xl border border-(--bubble-border,transparent) bg-(--bubble) px-3.5 py-2 text-left text-sm leading-relaxed wrap-break-word text-(--bubble-text) group-data-[align=end]/bubble:self-end group-data-[variant=ghost]/bubble:rounded-md group-data-[variant=ghost]/bubble:px-0",
        "transition-colors outline-none focus-visible:ring-[3px] focus-visible:ring-ring/50 [a&,button&]:hover:bg-[color-mix(in_oklab,var(--bubble),var(--foreground)_8%)]",
        className,
      )}
      {...props}
    />
  );
}

const bubbleReactionsVariants = cva(
  "absolute z-10 flex w-fit items-center gap-1 rounded-full border bg-background px-1.5 py-0.5 text-xs shadow-xs",
  {
    variants: {
      side: { top: "top-0 -translate-y-2/3", bottom: "bottom-0 translate-y-2/3" },
      align: { start: "left-3", end: "right-3" },
    },
    defaultVariants: { side: "bottom", align: "end" },
  },
);

function BubbleReactions({
  className,
  side = "bottom",
  align = "end",
  ...props
}: React.ComponentProps<"div"> & { side?: "top" | "bottom"; align?: "start" | "end" }) {
  return (
    <div
      data-slot="bubble-reactions"
      data-side={side}
      data-align={align}
      className={cn(bubbleReactionsVariants({ side, align }), className)}
      {...props}
    />
  );
}

export { BubbleGroup, Bubble, BubbleContent, BubbleReactions };
