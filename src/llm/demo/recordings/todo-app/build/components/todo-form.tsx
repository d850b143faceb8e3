"use client";

import { useState, type FormEvent } from "react";
import { Plus } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { addTodo } from "@/lib/todos";

export function TodoForm() {
  const [text, setText] = useState("");

  function submit(event: FormEvent) {
    event.preventDefault();
    const trimmed = text.trim();
    if (trimmed === "") return;
    addTodo(trimmed);
    setText("");
  }

  return (
    <form onSubmit={submit} className="flex gap-2">
      <Input
        aria-label="New todo"
        placeholder="What needs to be done?"
        value={text}
        maxLength={200}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit">
        <Plus aria-hidden />
        Add
      </Button>
    </form>
  );
}
