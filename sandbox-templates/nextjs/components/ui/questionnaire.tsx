"use client";

import * as React from "react";
import { CheckIcon } from "lucide-react";

import { Button } from "@/components/ui/button";
import { cn } from "@/lib/utils";

type Status = "unanswered" | "answered" | "skipped";
type Shortcuts = "letters" | "numbers";

/** A question as the questionnaire counts it. */
type Known = { name: string; required: boolean };

/** What the questionnaire asks of a question that is shown. */
type Question = Known & {
  element: HTMLFieldSetElement;
  isAnswered: () => boolean;
  setInvalid: (invalid: boolean) => void;
  skip: () => void;
  reset: () => void;
};

type QuestionnaireContextProps = {
  questions: readonly Known[];
  active: string | null;
  status: Status;
  shortcuts?: Shortcuts;
  register: (question: Question) => () => void;
  report: (name: string, status: Status) => void;
  next: () => void;
  previous: () => void;
  skip: () => void;
};

const QuestionnaireContext = React.createContext<QuestionnaireContextProps | null>(null);

function useQuestionnaire() {
  const context = React.useContext(QuestionnaireContext);
  if (!context) throw new Error("Questionnaire parts must be used within a <Questionnaire />");
  const at = context.questions.findIndex((question) => question.name === context.active);
  return { ...context, at, first: at === 0, last: at >= 0 && at === context.questions.length - 1 };
}

/** A form that asks one question after the other; `onSubmit` finds the answers in its `FormData`. */
function Questionnaire({
  className,
  items,
  item,
  defaultItem,
  onItemChange,
  shortcuts,
  onSubmit,
  onReset,
  onKeyDown,
  ref,
  ...props
}: Omit<React.ComponentProps<"form">, "defaultValue"> & {
  /** All questions in their order, so that the server's HTML shows the first; without them they are counted in the browser. */
  items?: readonly { name: string; required?: boolean; disabled?: boolean }[];
  /** The question that is shown. */
  item?: string;
  defaultItem?: string;
  onItemChange?: (item: string) => void;
  /** Gives every choice a key. */
  shortcuts?: Shortcuts;
}) {
  const form = React.useRef<HTMLFormElement>(null);
  const registered = React.useRef(new Map<string, Question>());
  const [shown, setShown] = React.useState<readonly Known[]>([]);
  const [own, setOwn] = React.useState(defaultItem);
  const [statuses, setStatuses] = React.useState<Record<string, Status>>({});
  /** What to put the focus on once it is shown. */
  const focusOn = React.useRef<"question" | "answer" | null>(null);

  const given = items?.flatMap(({ name, required = false, disabled }) => (disabled ? [] : { name, required }));
  const questions = given ?? shown;
  const asked = item ?? own;
  const active = questions.some(({ name }) => name === asked) ? (asked ?? null) : (questions[0]?.name ?? null);
  const at = questions.findIndex(({ name }) => name === active);

  const register = React.useCallback((question: Question) => {
    const all = registered.current;
    const count = () => {
      const inOrder = [...all.values()].sort((one, other) =>
        one.element.compareDocumentPosition(other.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1,
      );
      const next = inOrder.map(({ name, required }) => ({ name, required }));
      setShown((shown) => (JSON.stringify(shown) === JSON.stringify(next) ? shown : next));
    };
    all.set(question.name, question);
    count();
    return () => {
      all.delete(question.name);
      count();
    };
  }, []);
  const focusAnswer = React.useCallback((name: string) => {
    registered.current.get(name)?.element.querySelector<HTMLElement>("input:enabled")?.focus();
  }, []);
  const report = React.useCallback((name: string, status: Status) => {
    setStatuses((statuses) => ({ ...statuses, [name]: status }));
  }, []);

  React.useEffect(() => {
    if (active && focusOn.current === "answer") focusAnswer(active);
    else if (active && focusOn.current) registered.current.get(active)?.element.focus();
    focusOn.current = null;
  }, [active, focusAnswer]);

  const show = (name: string, focus: "question" | "answer" = "question") => {
    if (name === active) {
      if (focus === "answer") focusAnswer(name);
      return;
    }
    focusOn.current = focus;
    setOwn(name);
    onItemChange?.(name);
  };
  /** Whether the question may be left; if not, it says so. */
  const isDone = (name: string) => {
    const question = registered.current.get(name);
    if (!question) return true;
    const done = question.isAnswered() || !question.required;
    question.setInvalid(!done);
    return done;
  };
  const next = () => {
    if (!active) return;
    if (!isDone(active)) focusAnswer(active);
    else if (at < questions.length - 1) show(questions[at + 1].name);
    else form.current?.requestSubmit();
  };
  const previous = () => {
    if (at > 0) show(questions[at - 1].name);
  };
  const skip = () => {
    if (!active) return;
    registered.current.get(active)?.skip();
    if (at < questions.length - 1) show(questions[at + 1].name);
    // Once the skipped answer is out of the form.
    else setTimeout(() => form.current?.requestSubmit());
  };

  const handleKeyDown = (event: React.KeyboardEvent<HTMLFormElement>) => {
    onKeyDown?.(event);
    const target = event.target as HTMLElement;
    if (event.defaultPrevented || event.nativeEvent.isComposing || event.altKey || event.repeat) return;
    const isAnswer = target instanceof HTMLInputElement && Boolean(target.closest("[data-slot=questionnaire-item]"));
    const isText = isAnswer && target.type !== "radio" && target.type !== "checkbox";
    if (event.key === "Enter" && (isAnswer || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      next();
    } else if (shortcuts && !isText && !event.ctrlKey && !event.metaKey && active) {
      const fieldset = registered.current.get(active)?.element;
      const choice = fieldset?.querySelector<HTMLElement>(`[data-shortcut="${CSS.escape(event.key.toUpperCase())}"] input:enabled`);
      if (!choice) return;
      event.preventDefault();
      choice.focus();
      choice.click();
    }
  };

  return (
    <QuestionnaireContext.Provider
      value={{ questions, active, status: statuses[active ?? ""] ?? "unanswered", shortcuts, register, report, next, previous, skip }}
    >
      <form
        noValidate
        data-slot="questionnaire"
        className={cn("flex w-full min-w-0 flex-col gap-4", className)}
        onKeyDown={handleKeyDown}
        onSubmit={(event) => {
          const missing = questions.find(({ name }) => !isDone(name));
          if (!missing) return onSubmit?.(event);
          event.preventDefault();
          show(missing.name, "answer");
        }}
        onReset={(event) => {
          onReset?.(event);
          if (event.defaultPrevented) return;
          const first = defaultItem ?? questions[0]?.name;
          if (first) show(first);
          // Once the browser has put the fields back.
          setTimeout(() => {
            for (const question of registered.current.values()) question.reset();
          });
        }}
        {...props}
        ref={(element) => {
          form.current = element;
          if (typeof ref === "function") ref(element);
          else if (ref) ref.current = element;
        }}
      />
    </QuestionnaireContext.Provider>
  );
}

function QuestionnaireProgress({ className, children, ...props }: React.ComponentProps<"div">) {
  const { at, questions } = useQuestionnaire();
  const label = at < 0 ? undefined : `Question ${at + 1} of ${questions.length}`;
  return (
    <div
      role="progressbar"
      aria-label="Questionnaire progress"
      aria-valuemin={1}
      aria-valuemax={questions.length || undefined}
      aria-valuenow={at < 0 ? undefined : at + 1}
      aria-valuetext={label}
      data-slot="questionnaire-progress"
      className={cn("min-h-[1lh] text-sm font-medium text-muted-foreground tabular-nums", className)}
      {...props}
    >
      {children ?? label}
    </div>
  );
}

type ItemContextProps = {
  name: string;
  multiple: boolean;
  required: boolean;
  invalid: boolean;
  errorId: string;
  descriptionId: string;
  /** The words in its input are the answer. */
  ownWords: boolean;
};

const ItemContext = React.createContext<ItemContextProps | null>(null);

function useItem() {
  const context = React.useContext(ItemContext);
  if (!context) throw new Error("A question's parts must be used within a <QuestionnaireItem />");
  return context;
}

const isChoice = (input: Element): input is HTMLInputElement =>
  input instanceof HTMLInputElement && (input.type === "radio" || input.type === "checkbox");
const isOwnWords = (input: Element): input is HTMLInputElement =>
  input instanceof HTMLInputElement && input.dataset.slot === "questionnaire-input";

/** One question. Its name is that of its answer in the form; with `multiple` there may be several. */
function QuestionnaireItem({
  className,
  name,
  required = false,
  multiple = false,
  disabled = false,
  invalid: invalidGiven = false,
  onStatusChange,
  onChange,
  ...props
}: Omit<React.ComponentProps<"fieldset">, "ref"> & {
  name: string;
  required?: boolean;
  multiple?: boolean;
  /** Found wrong by a check of your own. */
  invalid?: boolean;
  onStatusChange?: (status: Status) => void;
}) {
  const { active, register, report } = useQuestionnaire();
  const fieldset = React.useRef<HTMLFieldSetElement>(null);
  const [status, setStatus] = React.useState<Status>("unanswered");
  const [ownWords, setOwnWords] = React.useState(false);
  const [invalidFound, setInvalid] = React.useState(false);
  const id = React.useId();
  const invalid = invalidGiven || invalidFound;

  const changed = React.useEffectEvent((status: Status) => {
    report(name, status);
    onStatusChange?.(status);
  });
  const before = React.useRef(status);
  React.useEffect(() => {
    if (before.current !== status) changed(status);
    before.current = status;
  }, [status]);

  React.useEffect(() => {
    const element = fieldset.current;
    if (!element || disabled) return;
    const controls = () => [...element.elements];
    const typed = () => controls().some((input) => isOwnWords(input) && input.value.trim() !== "");
    const chosen = () => controls().some((input) => isChoice(input) && input.checked);
    const reset = () => {
      setOwnWords(typed() && (multiple || !chosen()));
      setStatus(typed() || chosen() ? "answered" : "unanswered");
      setInvalid(false);
    };
    // Answers may be there from the beginning.
    reset();
    return register({
      name,
      required,
      element,
      isAnswered: () => chosen() || controls().some((input) => isOwnWords(input) && input.name !== "" && input.value.trim() !== ""),
      setInvalid,
      reset,
      skip: () => {
        for (const input of controls()) if (isChoice(input)) input.checked = false;
        setOwnWords(false);
        setInvalid(false);
        setStatus("skipped");
      },
    });
  }, [name, required, multiple, disabled, register]);

  const handleChange = (event: React.ChangeEvent<HTMLFieldSetElement>) => {
    onChange?.(event);
    const input: Element = event.target;
    const controls = [...event.currentTarget.elements];
    const words = controls.some((input) => isOwnWords(input) && input.value.trim() !== "");
    // Where one answer is asked for, it is a choice or words of one's own.
    const mine = multiple ? words : words && isOwnWords(input);
    if (!multiple && mine) for (const other of controls) if (isChoice(other)) other.checked = false;
    const answered = mine || controls.some((input) => isChoice(input) && input.checked);
    setOwnWords(mine);
    setStatus(answered ? "answered" : "unanswered");
    setInvalid(false);
  };

  return (
    <ItemContext.Provider
      value={{ name, multiple, required, invalid, errorId: `${id}-error`, descriptionId: `${id}-description`, ownWords }}
    >
      <fieldset
        ref={fieldset}
        tabIndex={-1}
        disabled={disabled}
        hidden={active !== name}
        inert={active !== name}
        aria-describedby={cn(`${id}-description`, invalid && `${id}-error`)}
        data-slot="questionnaire-item"
        data-active={active === name || undefined}
        data-status={status}
        data-invalid={invalid || undefined}
        className={cn("flex min-w-0 flex-col gap-3 outline-none [&[hidden]]:hidden", className)}
        onChange={handleChange}
        {...props}
      />
    </ItemContext.Provider>
  );
}

function QuestionnaireTitle({ className, ...props }: React.ComponentProps<"legend">) {
  return (
    <legend
      data-slot="questionnaire-title"
      className={cn("mb-1 text-lg leading-snug font-semibold text-pretty", className)}
      {...props}
    />
  );
}

function QuestionnaireDescription({ className, ...props }: React.ComponentProps<"p">) {
  const { descriptionId } = useItem();
  return (
    <p
      id={descriptionId}
      data-slot="questionnaire-description"
      className={cn("-mt-2 text-sm text-pretty text-muted-foreground", className)}
      {...props}
    />
  );
}

function QuestionnaireChoices({ className, ...props }: React.ComponentProps<"div">) {
  return <div data-slot="questionnaire-choices" className={cn("grid min-w-0 gap-2", className)} {...props} />;
}

function QuestionnaireChoice({
  className,
  children,
  value,
  checked,
  defaultChecked,
  disabled,
  onChange,
  ...props
}: Omit<React.ComponentProps<"label">, "onChange"> & {
  value: string;
  checked?: boolean;
  defaultChecked?: boolean;
  disabled?: boolean;
  onChange?: React.ChangeEventHandler<HTMLInputElement>;
}) {
  const { shortcuts } = useQuestionnaire();
  const { name, multiple, invalid, errorId } = useItem();
  const label = React.useRef<HTMLLabelElement>(null);
  const [place, setPlace] = React.useState(-1);
  React.useEffect(() => {
    const all = label.current?.closest("fieldset")?.querySelectorAll("[data-slot=questionnaire-choice]");
    setPlace(label.current && all ? [...all].indexOf(label.current) : -1);
  });
  const keys = { letters: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", numbers: "123456789" };
  const shortcut = shortcuts && place >= 0 ? keys[shortcuts][place] : undefined;

  return (
    <label
      data-slot="questionnaire-choice"
      data-shortcut={shortcut}
      className={cn(
        "flex min-h-11 cursor-pointer items-start gap-3 rounded-md border border-input px-3 py-2.5 text-sm shadow-xs transition-colors select-none hover:bg-accent/50 has-checked:border-primary has-checked:bg-primary/5 has-focus-visible:border-ring has-focus-visible:ring-[3px] has-focus-visible:ring-ring/50 has-disabled:cursor-not-allowed has-disabled:opacity-50 dark:bg-input/30 dark:has-checked:bg-primary/10",
        className,
      )}
      {...props}
      ref={label}
    >
      <span className="relative mt-0.5 flex size-4 shrink-0 items-center justify-center">
        <input
          type={multiple ? "checkbox" : "radio"}
          name={name}
          value={value}
          checked={checked}
          defaultChecked={defaultChecked}
          disabled={disabled}
          onChange={onChange ?? (checked === undefined ? undefined : () => {})}
          aria-invalid={invalid || undefined}
          aria-describedby={invalid ? errorId : undefined}
          aria-keyshortcuts={shortcut}
          className="peer size-4 cursor-[inherit] appearance-none rounded-[4px] border border-input bg-background outline-none checked:border-primary checked:bg-primary aria-invalid:border-destructive [&[type=radio]]:rounded-full [&[type=radio]]:checked:border-[5px] [&[type=radio]]:checked:bg-background"
        />
        {multiple && (
          <CheckIcon className="pointer-events-none absolute hidden size-3.5 text-primary-foreground peer-checked:block" />
        )}
      </span>
      <span data-slot="questionnaire-choice-label" className="flex min-w-0 flex-1 flex-col gap-0.5 leading-snug">
        {children}
      </span>
      {shortcut && (
        <kbd
          aria-hidden="true"
          data-slot="questionnaire-choice-shortcut"
          className="flex size-5 shrink-0 items-center justify-center rounded-sm bg-muted font-sans text-xs font-medium text-muted-foreground"
        >
          {shortcut}
        </kbd>
      )}
    </label>
  );
}

function QuestionnaireChoiceDescription({ className, ...props }: React.ComponentProps<"span">) {
  return (
    <span data-slot="questionnaire-choice-description" className={cn("text-muted-foreground", className)} {...props} />
  );
}

/** An answer in one's own words; it needs a label, or an `aria-label`. */
function QuestionnaireInput({ className, ...props }: Omit<React.ComponentProps<"input">, "name">) {
  const { name, ownWords, invalid, errorId } = useItem();
  return (
    <input
      type="text"
      aria-invalid={invalid || undefined}
      aria-describedby={invalid ? errorId : undefined}
      data-filled={ownWords || undefined}
      className={cn(
        "h-11 w-full min-w-0 rounded-md border border-input bg-transparent px-3 py-2 text-base shadow-xs transition-[color,box-shadow] outline-none placeholder:text-muted-foreground focus-visible:border-ring focus-visible:ring-[3px] focus-visible:ring-ring/50 disabled:cursor-not-allowed disabled:opacity-50 aria-invalid:border-destructive data-filled:border-primary data-filled:bg-primary/5 md:text-sm dark:bg-input/30",
        className,
      )}
      {...props}
      data-slot="questionnaire-input"
      name={ownWords ? name : undefined}
    />
  );
}

function QuestionnaireError({ className, children, ...props }: React.ComponentProps<"p">) {
  const { invalid, errorId } = useItem();
  if (!invalid) return null;
  return (
    <p
      role="alert"
      id={errorId}
      data-slot="questionnaire-error"
      className={cn("text-sm text-destructive", className)}
      {...props}
    >
      {children ?? "Choose an answer to continue."}
    </p>
  );
}

function QuestionnaireActions({ className, ...props }: React.ComponentProps<"div">) {
  return (
    <div
      data-slot="questionnaire-actions"
      className={cn("flex min-h-9 w-full items-center gap-2", className)}
      {...props}
    />
  );
}

type StepProps = Omit<React.ComponentProps<typeof Button>, "asChild">;

/** A button that is there only when it applies to the question. */
function Step({ applies, act, onClick, ...props }: StepProps & { applies: boolean; act?: () => void }) {
  const { status } = useQuestionnaire();
  return (
    <Button
      type="button"
      hidden={!applies}
      inert={!applies}
      data-status={status}
      onClick={(event) => {
        onClick?.(event);
        if (!event.defaultPrevented) act?.();
      }}
      {...props}
      className={cn("[&[hidden]]:hidden", props.className)}
    />
  );
}

function QuestionnairePrevious({ children = "Previous", variant = "outline", ...props }: StepProps) {
  const { at, previous } = useQuestionnaire();
  return (
    <Step applies={at > 0} act={previous} variant={variant} data-slot="questionnaire-previous" {...props}>
      {children}
    </Step>
  );
}

function QuestionnaireSkip({ children = "Skip", variant = "ghost", className, ...props }: StepProps) {
  const { at, questions, skip } = useQuestionnaire();
  return (
    <Step
      applies={at >= 0 && !questions[at].required}
      act={skip}
      variant={variant}
      data-slot="questionnaire-skip"
      className={cn("ml-auto", className)}
      {...props}
    >
      {children}
    </Step>
  );
}

/** At the end of the row, whether there is a skip before it or not. */
const forward = "ml-auto [[data-slot=questionnaire-skip]:not([hidden])~&]:ml-0";

function QuestionnaireNext({ children = "Next", className, ...props }: StepProps) {
  const { at, last, next } = useQuestionnaire();
  return (
    <Step applies={at >= 0 && !last} act={next} data-slot="questionnaire-next" className={cn(forward, className)} {...props}>
      {children}
    </Step>
  );
}

function QuestionnaireSubmit({ children = "Submit", className, ...props }: StepProps) {
  const { last } = useQuestionnaire();
  return (
    <Step
      applies={last}
      type="submit"
      data-slot="questionnaire-submit"
      className={cn(forward, className)}
      {...props}
    >
      {children}
    </Step>
  );
}

export {
  Questionnaire,
  QuestionnaireActions,
  QuestionnaireChoice,
  QuestionnaireChoiceDescription,
  QuestionnaireChoices,
  QuestionnaireDescription,
  QuestionnaireError,
  QuestionnaireInput,
  QuestionnaireItem,
  QuestionnaireNext,
  QuestionnairePrevious,
  QuestionnaireProgress,
  QuestionnaireSkip,
  QuestionnaireSubmit,
  QuestionnaireTitle,
};
