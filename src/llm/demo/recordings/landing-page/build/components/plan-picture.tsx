import { cn } from "@/lib/utils";

const days = ["Mon", "Tue", "Wed", "Thu", "Fri"];

interface Task {
  label: string;
  /** The first day and how many, counted from 1 as grid lines are. */
  from: number;
  days: number;
  tone: string;
}

const people: { initials: string; tasks: Task[] }[] = [
  {
    initials: "AM",
    tasks: [
      { label: "Interviews", from: 1, days: 2, tone: "bg-primary text-primary-foreground" },
      { label: "Findings", from: 3, days: 3, tone: "bg-primary/15 text-foreground" },
    ],
  },
  {
    initials: "JO",
    tasks: [
      { label: "Checkout", from: 1, days: 3, tone: "bg-chart-2/20 text-foreground" },
      { label: "Review", from: 5, days: 1, tone: "bg-primary/15 text-foreground" },
    ],
  },
  {
    initials: "LK",
    tasks: [
      { label: "Holiday", from: 1, days: 1, tone: "border border-dashed text-muted-foreground" },
      { label: "Launch page", from: 2, days: 4, tone: "bg-chart-4/30 text-foreground" },
    ],
  },
];

/** A week of the product, drawn instead of photographed: it is sharp at any size and follows the colors of the page. */
export function PlanPicture() {
  return (
    <div
      role="img"
      aria-label="A week's plan for three people"
      className="rounded-2xl border bg-card p-3 shadow-2xl shadow-foreground/10 sm:p-5"
    >
      <div className="flex items-center justify-between px-1 pb-4">
        <div>
          <p className="text-sm font-semibold">This week</p>
          <p className="text-xs text-muted-foreground">3 people, 6 tasks, room for one more</p>
        </div>
        <span className="rounded-full bg-chart-2/15 px-2.5 py-1 text-xs font-medium">On track</span>
      </div>
      <div className="grid grid-cols-[2rem_1fr] gap-x-3">
        <span />
        <div className="grid grid-cols-5 border-b pb-2 text-center text-xs text-muted-foreground">
          {days.map((day) => (
            <span key={day}>{day}</span>
          ))}
        </div>
        {people.map((person, row) => (
          <div key={person.initials} className="contents">
            <span className="grid size-8 place-items-center self-center rounded-full bg-muted text-[0.7rem] font-medium text-muted-foreground">
              {person.initials}
            </span>
            <div className={cn("grid grid-cols-5 gap-1.5 py-3", row < people.length - 1 && "border-b")}>
              {person.tasks.map((task) => (
                <span
                  key={task.label}
                  style={{ gridColumn: `${task.from} / span ${task.days}` }}
                  className={cn("truncate rounded-md px-2.5 py-2 text-xs font-medium", task.tone)}
                >
                  {task.label}
                </span>
              ))}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}
