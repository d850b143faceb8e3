import { TodoApp } from "@/components/todo-app";

export default function Home() {
  return (
    <main className="flex min-h-dvh justify-center bg-muted/40 px-4 py-10 sm:py-20 dark:bg-background">
      <div className="flex w-full max-w-lg items-start">
        <TodoApp />
      </div>
    </main>
  );
}
