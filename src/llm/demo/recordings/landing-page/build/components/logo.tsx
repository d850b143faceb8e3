import { Waves } from "lucide-react";

import { product } from "@/lib/content";

export function Logo() {
  return (
    <span className="flex items-center gap-2 font-semibold tracking-tight">
      <span aria-hidden className="grid size-7 place-items-center rounded-lg bg-primary text-primary-foreground">
        <Waves className="size-4" />
      </span>
      {product.name}
    </span>
  );
}
