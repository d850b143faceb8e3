import { useState } from "react";
import { ArrowDown, ArrowUp, ArrowUpDown, Search } from "lucide-react";

import { ChangeBadge } from "@/components/change-badge";
import { Badge } from "@/components/ui/badge";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { Input } from "@/components/ui/input";
import { formatDollars, formatNumber, type ProductRow, type Report } from "@/lib/analytics";
import { cn } from "@/lib/utils";

const COLUMNS: readonly { key: keyof ProductRow; label: string; number?: boolean }[] = [
  { key: "name", label: "Product" },
  { key: "category", label: "Category" },
  { key: "orders", label: "Orders", number: true },
  { key: "revenue", label: "Revenue", number: true },
  { key: "change", label: "Change", number: true },
];

interface Sort {
  key: keyof ProductRow;
  descending: boolean;
}

function compare(a: ProductRow, b: ProductRow, { key, descending }: Sort): number {
  const [left, right] = [a[key], b[key]];
  const order = typeof left === "number" ? left - Number(right) : left.localeCompare(String(right), "en");
  return descending ? -order : order;
}

export function ProductTable({ products }: Pick<Report, "products">) {
  const [query, setQuery] = useState("");
  const [sort, setSort] = useState<Sort>({ key: "revenue", descending: true });
  const wanted = query.trim().toLowerCase();
  const rows = products
    .filter(({ name, category }) => `${name} ${category}`.toLowerCase().includes(wanted))
    .toSorted((a, b) => compare(a, b, sort));

  /** Numbers begin with the largest, words with A. */
  function sortBy(key: keyof ProductRow, number = false) {
    setSort((before) => ({ key, descending: before.key === key ? !before.descending : number }));
  }

  return (
    <Card>
      <CardHeader className="flex flex-wrap items-center gap-4">
        <div className="mr-auto grid gap-2">
          <CardTitle>
            <h2>Products</h2>
          </CardTitle>
          <CardDescription role="status">
            {rows.length === products.length ? `All ${products.length} products` : `${rows.length} of ${products.length} products`}
          </CardDescription>
        </div>
        <div className="flex items-center gap-2 max-sm:w-full">
          <div className="relative flex-1 sm:w-56">
            <Search aria-hidden className="pointer-events-none absolute top-2.5 left-3 size-4 text-muted-foreground" />
            <Input
              type="search"
              aria-label="Search products"
              placeholder="Search products"
              value={query}
              onChange={(event) => setQuery(event.target.value)}
              className="pl-9"
            />
          </div>
        </div>
      </CardHeader>
      <CardContent className="px-0">
        <div className="relative overflow-x-auto px-6">
          <table className="w-full text-sm">
            <thead>
              <tr className="border-b">
                {COLUMNS.map(({ key, label, number }) => {
                  const sorted = sort.key === key;
                  const Icon = !sorted ? ArrowUpDown : sort.descending ? ArrowDown : ArrowUp;
                  return (
                    <th
                      key={key}
                      scope="col"
                      aria-sort={sorted ? (sort.descending ? "descending" : "ascending") : undefined}
                      className={cn("py-1 font-medium", number ? "text-right" : "text-left")}
                    >
                      <button
                        type="button"
                        onClick={() => sortBy(key, number)}
                        className={cn(
                          "inline-flex h-9 items-center gap-1.5 rounded-md px-2 whitespace-nowrap outline-none hover:text-foreground focus-visible:ring-[3px] focus-visible:ring-ring/50",
                          !sorted && "text-muted-foreground",
                          number ? "-mr-2 flex-row-reverse" : "-ml-2",
                        )}
                      >
                        {label}
                        <Icon aria-hidden className={cn("size-3.5", !sorted && "opacity-50")} />
                      </button>
                    </th>
                  );
                })}
              </tr>
            </thead>
            <tbody>
              {rows.map((product) => (
                <tr key={product.name} className="border-b transition-colors last:border-0 hover:bg-muted/50">
                  <th scope="row" className="py-3 pr-4 text-left font-medium whitespace-nowrap">
                    {product.name}
                  </th>
                  <td className="py-3 pr-4">
                    <Badge variant="secondary">{product.category}</Badge>
                  </td>
                  <td className="py-3 pl-4 text-right tabular-nums">{formatNumber(product.orders)}</td>
                  <td className="py-3 pl-4 text-right tabular-nums">{formatDollars(product.revenue)}</td>
                  <td className="py-3 pl-4 text-right">
                    <ChangeBadge percent={product.change} />
                  </td>
                </tr>
              ))}
              {rows.length === 0 && (
                <tr>
                  <td colSpan={COLUMNS.length} className="py-10 text-center text-muted-foreground">
                    No product or category has “{query}” in its name.
                  </td>
                </tr>
              )}
            </tbody>
          </table>
        </div>
      </CardContent>
    </Card>
  );
}
