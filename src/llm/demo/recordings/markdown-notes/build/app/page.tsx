import { NotesApp } from "@/components/notes-app";

export default function Home() {
  return <NotesApp />;
}
