import type { ComponentProps } from "react";
import type { LucideIcon } from "lucide-react";

import { Button } from "@/components/ui/button";
import { cn } from "@/lib/utils";

interface IconButtonProps extends Omit<ComponentProps<"button">, "children"> {
  /** The accessible name, which tells the card too. */
  label: string;
  /** The short form shown on hover. */
  hint: string;
  icon: LucideIcon;
}

export function IconButton({ label, hint, icon: Icon, className, ...props }: IconButtonProps) {
  return (
    <Button
      type="button"
      variant="ghost"
      size="icon"
      aria-label={label}
      title={hint}
      className={cn("size-7 text-muted-foreground aria-disabled:cursor-default aria-disabled:opacity-30", className)}
      {...props}
    >
      <Icon aria-hidden className="size-3.5" />
    </Button>
  );
}
