export interface Question {
  id: string;
  text: string;
  /** The right one first; they are shown in another order. */
  answers: [string, string, string, string];
  /** Why it is so. */
  note: string;
}

export const QUESTIONS: readonly Question[] = [
  {
    id: "moons",
    text: "Which planet has the most known moons?",
    answers: ["Saturn", "Jupiter", "Uranus", "Neptune"],
    note: "More than 270 are known around Saturn. Jupiter follows with about a hundred.",
  },
  {
    id: "light",
    text: "How long does sunlight take to reach the Earth?",
    answers: ["About 8 minutes", "About 8 seconds", "About an hour", "About a day"],
    note: "Light covers the 150 million kilometers in 8 minutes and 19 seconds.",
  },
  {
    id: "octopus",
    text: "How many hearts does an octopus have?",
    answers: ["Three", "One", "Two", "Eight"],
    note: "Two pump blood through the gills, the third through the rest of the body.",
  },
  {
    id: "metal",
    text: "Which metal is liquid at room temperature?",
    answers: ["Mercury", "Gallium", "Tin", "Sodium"],
    note: "Mercury melts at −39 °C. Gallium comes close: it melts in your hand, at 30 °C.",
  },
  {
    id: "bone",
    text: "Where is the smallest bone of the human body?",
    answers: ["In the ear", "In the nose", "In the little toe", "In the wrist"],
    note: "The stirrup, in the middle ear, is about three millimeters long.",
  },
  {
    id: "air",
    text: "Which gas makes up most of the air?",
    answers: ["Nitrogen", "Oxygen", "Carbon dioxide", "Argon"],
    note: "About 78% is nitrogen. Oxygen makes up 21%, all others the rest.",
  },
  {
    id: "desert",
    text: "Which is the largest desert on Earth?",
    answers: ["Antarctica", "The Sahara", "The Gobi", "The Arabian Desert"],
    note: "A desert is dry, not hot: most of Antarctica gets less rain and snow than the Sahara's edge.",
  },
  {
    id: "programmer",
    text: "Who published the first program for a computing machine?",
    answers: ["Ada Lovelace", "Alan Turing", "Grace Hopper", "Charles Babbage"],
    note: "Her notes of 1843 describe how the Analytical Engine would compute Bernoulli numbers.",
  },
];
