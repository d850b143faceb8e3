"use client";

import { useEffect, useReducer } from "react";

import { QuestionCard } from "@/components/question-card";
import { QuizHeader } from "@/components/quiz-header";
import { ResultsCard } from "@/components/results-card";
import { StartCard } from "@/components/start-card";
import { keepScore, useBestScore } from "@/lib/best-score";
import { quizReducer, scoreOf, type Quiz } from "@/lib/quiz";

const START: Quiz = { phase: "start" };

export function QuizApp() {
  const [quiz, dispatch] = useReducer(quizReducer, START);
  const best = useBestScore();
  const index = quiz.phase === "playing" ? quiz.given.length - (quiz.revealed ? 1 : 0) : 0;

  useEffect(() => {
    if (quiz.phase === "results") keepScore(scoreOf(quiz.asked, quiz.given));
  }, [quiz]);

  return (
    <div className="min-h-dvh bg-muted/50 px-4 py-6 sm:py-10 dark:bg-background">
      <main className="mx-auto grid max-w-2xl gap-6">
        <QuizHeader best={best} />
        {quiz.phase === "start" && <StartCard onStart={() => dispatch({ type: "start" })} />}
        {quiz.phase === "playing" && (
          <QuestionCard
            key={index}
            asked={quiz.asked[index]}
            number={index + 1}
            total={quiz.asked.length}
            score={scoreOf(quiz.asked, quiz.given)}
            given={quiz.revealed ? quiz.given[index] : undefined}
            onAnswer={(answer) => dispatch({ type: "answer", answer })}
            onNext={() => dispatch({ type: "next" })}
          />
        )}
        {quiz.phase === "results" && (
          <ResultsCard asked={quiz.asked} given={quiz.given} onRestart={() => dispatch({ type: "start" })} />
        )}
      </main>
    </div>
  );
}
