"use client";

import { useState } from "react";
import { ListChecks } from "lucide-react";

import { ThemeToggle } from "@/components/theme-toggle";
import { TodoForm } from "@/components/todo-form";
import { TodoItem } from "@/components/todo-item";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardFooter, CardHeader, CardTitle } from "@/components/ui/card";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { clearDone, matches, useTodos, type Filter } from "@/lib/todos";

const FILTERS: { value: Filter; label: string; empty: string }[] = [
  { value: "all", label: "All", empty: "Nothing to do yet. Add your first item above." },
  { value: "active", label: "Active", empty: "Everything is done. Enjoy it!" },
  { value: "done", label: "Done", empty: "Nothing is done yet. It will be." },
];

export function TodoApp() {
  const todos = useTodos();
  const [filter, setFilter] = useState<Filter>("all");
  const left = todos.filter((todo) => !todo.done).length;

  return (
    <Card className="w-full max-w-lg gap-5">
      <CardHeader className="flex items-center justify-between">
        <CardTitle className="flex items-center gap-2.5 text-xl">
          <span className="grid size-8 place-items-center rounded-lg bg-primary text-primary-foreground">
            <ListChecks className="size-4.5" aria-hidden />
          </span>
          <h1>Todos</h1>
        </CardTitle>
        <ThemeToggle />
      </CardHeader>
      <CardContent className="space-y-4">
        <TodoForm />
        <Tabs value={filter} onValueChange={(value) => setFilter(value as Filter)}>
          <TabsList className="w-full">
            {FILTERS.map(({ value, label }) => (
              <TabsTrigger key={value} value={value}>
                {label}
              </TabsTrigger>
            ))}
          </TabsList>
          {FILTERS.map(({ value, empty }) => {
            const shown = todos.filter((todo) => matches(todo, value));
            return (
              <TabsContent key={value} value={value}>
                {shown.length === 0 ? (
                  <p className="py-10 text-center text-sm text-muted-foreground">{empty}</p>
                ) : (
                  <ul className="-mx-3 space-y-0.5">
                    {shown.map((todo) => (
                      <TodoItem key={todo.id} todo={todo} />
                    ))}
                  </ul>
                )}
              </TabsContent>
            );
          })}
        </Tabs>
      </CardContent>
      {todos.length > 0 && (
        <CardFooter className="justify-between border-t text-sm text-muted-foreground">
          <p role="status">
            {left} {left === 1 ? "item" : "items"} left
          </p>
          <Button variant="ghost" size="sm" disabled={left === todos.length} onClick={clearDone}>
            Clear done
          </Button>
        </CardFooter>
      )}
    </Card>
  );
}
