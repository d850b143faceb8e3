"use client";

import { useState, type FormEvent } from "react";
import { Plus } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { addTodo } from "@/lib/todos";

export function TodoForm() {
  const [text, setText] = useState("");
  const [due, setDue] = useState("");

  function submit(event: FormEvent) {
    event.preventDefault();
    const trimmed = text.trim();
    if (trimmed === "") return;
    addTodo(trimmed, due || undefined);
    setText("");
    setDue("");
  }

  return (
    <form onSubmit={submit} className="flex flex-wrap gap-2">
      <Input
        aria-label="New todo"
        className="min-w-48 flex-1"
        placeholder="What needs to be done?"
        value={text}
        maxLength={200}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <Input
        type="date"
        aria-label="Due date"
        className="w-38 flex-none"
        value={due}
        onChange={(event) => setDue(event.target.value)}
      />
      <Button type="submit">
        <Plus aria-hidden />
        Add
      </Button>
    </form>
  );
}
