import { QuizApp } from "@/components/quiz-app";

export default function Home() {
  return <QuizApp />;
}
