import { QUESTIONS, type Question } from "@/lib/questions";

/** A question as it is asked: its answers in the order they are shown. */
export interface Asked {
  question: Question;
  answers: string[];
}

/** The state of the quiz; given answers are in the order of what was asked. */
export type Quiz =
  | { phase: "start" }
  | { phase: "playing"; asked: Asked[]; given: string[]; revealed: boolean }
  | { phase: "results"; asked: Asked[]; given: string[] };

export type QuizAction = { type: "start" } | { type: "answer"; answer: string } | { type: "next" };

export function rightAnswer({ question }: Asked): string {
  return question.answers[0];
}

export function scoreOf(asked: Asked[], given: string[]): number {
  return given.filter((answer, index) => answer === rightAnswer(asked[index])).length;
}

function shuffle<T>(items: readonly T[]): T[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other], shuffled[last]];
  }
  return shuffled;
}

/** All questions in a new order, and their answers too. */
export function ask(): Asked[] {
  return shuffle(QUESTIONS).map((question) => ({ question, answers: shuffle(question.answers) }));
}

export function quizReducer(quiz: Quiz, action: QuizAction): Quiz {
  switch (action.type) {
    case "start":
      return { phase: "playing", asked: ask(), given: [], revealed: false };
    case "answer":
      if (quiz.phase !== "playing" || quiz.revealed) return quiz;
      return { ...quiz, given: [...quiz.given, action.answer], revealed: true };
    case "next":
      if (quiz.phase !== "playing" || !quiz.revealed) return quiz;
      return quiz.given.length === quiz.asked.length
        ? { phase: "results", asked: quiz.asked, given: quiz.given }
        : { ...quiz, revealed: false };
  }
}
