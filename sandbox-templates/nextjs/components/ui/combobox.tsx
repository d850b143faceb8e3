"use client";

import * as React from "react";
import { CheckIcon, ChevronDownIcon, XIcon } from "lucide-react";
import { Popover as PopoverPrimitive } from "radix-ui";

import { Button } from "@/components/ui/button";
import { InputGroup, InputGroupAddon, InputGroupButton, InputGroupInput } from "@/components/ui/input-group";
import { cn } from "@/lib/utils";

type ComboboxContextProps = {
  items: readonly unknown[];
  open: boolean;
  setOpen: (open: boolean) => void;
  /** What the input holds: what was typed, else what is chosen. */
  query: string;
  typed: string;
  setQuery: (query: string) => void;
  matches: (value: unknown, label?: string) => boolean;
  selected: readonly unknown[];
  multiple: boolean;
  disabled: boolean;
  choose: (value: unknown) => void;
  remove: (value: unknown) => void;
  clear: () => void;
  isSelected: (value: unknown) => boolean;
  text: (value: unknown) => string;
  /** The id of the option that the keyboard or the pointer is on. */
  highlighted: string | null;
  setHighlighted: (id: string | null) => void;
  autoHighlight: boolean;
  listId: string;
  inputRef: React.RefObject<HTMLInputElement | null>;
  anchorRef: React.RefObject<HTMLDivElement | null>;
};

const ComboboxContext = React.createContext<ComboboxContextProps | null>(null);
const InsideContentContext = React.createContext(false);
/** The group's own items, and how its label makes itself known. */
const GroupContext = React.createContext<{ items?: readonly unknown[]; labelId: string; setLabelled: (labelled: boolean) => void } | null>(
  null,
);

function useCombobox() {
  const context = React.useContext(ComboboxContext);
  if (!context) throw new Error("Combobox parts must be used within a <Combobox />");
  return context;
}

/** What a value is called unless the Combobox was told: its label, else itself. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return String(value);
  const { label, name, value: inner } = value as { label?: unknown; name?: unknown; value?: unknown };
  return String(label ?? name ?? inner ?? "");
}

/** What a form sends for a value. */
function sentFor(value: unknown): string {
  return value !== null && typeof value === "object" && "value" in value ? String(value.value) : textOf(value);
}

/** What is chosen from these items: one of them, or when they are groups one of a group's. */
type ValueOf<Item> = Widened<Item extends { items: readonly (infer Value)[] } ? Value : Item>;

/** Items that are written `as const` are strings all the same. */
type Widened<Value> = Value extends string ? string : Value extends number ? number : Value;

type Chosen<Value, Multiple> = Multiple extends true ? Value[] : Value | null;

type ComboboxProps<Item, Multiple extends boolean | undefined> = {
  children?: React.ReactNode;
  /** All there is to choose from, or groups that each have `items`. */
  items?: readonly Item[];
  multiple?: Multiple;
  value?: Chosen<ValueOf<Item>, Multiple>;
  defaultValue?: Chosen<ValueOf<Item>, Multiple>;
  /** A method, so that a state's setter fits whatever the items are. */
  onValueChange?(value: Chosen<ValueOf<Item>, Multiple>): void;
  open?: boolean;
  defaultOpen?: boolean;
  onOpenChange?: (open: boolean) => void;
  inputValue?: string;
  onInputValueChange?: (value: string) => void;
  itemToStringLabel?: (value: ValueOf<Item>) => string;
  itemToStringValue?: (value: ValueOf<Item>) => string;
  isItemEqualToValue?: (item: ValueOf<Item>, value: ValueOf<Item>) => boolean;
  /** Keeps an item in the list; null shows them all. */
  filter?: ((item: ValueOf<Item>, query: string) => boolean) | null;
  /** The first match is highlighted, so that Enter takes it. */
  autoHighlight?: boolean;
  disabled?: boolean;
  /** Sends what is chosen with the form around it. */
  name?: string;
};

function Combobox<Item, Multiple extends boolean | undefined = false>({
  children,
  items = [],
  multiple,
  value,
  defaultValue,
  onValueChange,
  open: openGiven,
  defaultOpen = false,
  onOpenChange,
  inputValue,
  onInputValueChange,
  itemToStringLabel,
  itemToStringValue,
  isItemEqualToValue,
  filter,
  autoHighlight = false,
  disabled = false,
  name,
}: ComboboxProps<Item, Multiple>) {
  type Value = ValueOf<Item>;
  const [ownOpen, setOwnOpen] = React.useState(defaultOpen);
  const [ownValue, setOwnValue] = React.useState<unknown>(defaultValue ?? (multiple ? [] : null));
  // What is typed; null while the input only shows what is chosen, which filters nothing.
  const [typed, setTyped] = React.useState<string | null>(null);
  const [highlighted, setHighlighted] = React.useState<string | null>(null);
  const inputRef = React.useRef<HTMLInputElement>(null);
  const anchorRef = React.useRef<HTMLDivElement>(null);
  const listId = React.useId();

  const text = (value: unknown) =>
    value == null ? "" : itemToStringLabel ? itemToStringLabel(value as Value) : textOf(value);
  const equal = (one: unknown, other: unknown) =>
    isItemEqualToValue ? isItemEqualToValue(one as Value, other as Value) : Object.is(one, other);

  const open = openGiven ?? ownOpen;
  const current: unknown = value === undefined ? ownValue : value;
  const selected = multiple ? (current as unknown[]) : current == null ? [] : [current];
  const query = inputValue ?? typed ?? (multiple ? "" : text(selected[0]));

  const setQuery = (query: string | null) => {
    setTyped(query);
    setHighlighted(null);
    onInputValueChange?.(query ?? "");
  };
  const setOpen = (next: boolean) => {
    if (disabled || next === open) return;
    setOwnOpen(next);
    setHighlighted(null);
    if (!next && typed !== null) setQuery(null);
    onOpenChange?.(next);
  };
  const change = (next: unknown) => {
    setOwnValue(next);
    onValueChange?.(next as Chosen<Value, Multiple>);
  };
  const isSelected = (value: unknown) => selected.some((one) => equal(one, value));
  const remove = (value: unknown) => change(multiple ? selected.filter((one) => !equal(one, value)) : null);

  const context: ComboboxContextProps = {
    items,
    open,
    setOpen,
    query,
    typed: inputValue ?? typed ?? "",
    setQuery,
    matches: (value, label) => {
      const sought = typed?.trim();
      if (!sought || filter === null) return true;
      if (filter) return filter(value as Value, sought);
      return (label ?? text(value)).toLowerCase().includes(sought.toLowerCase());
    },
    selected,
    multiple: Boolean(multiple),
    disabled,
    choose: (value) => {
      if (!multiple) {
        change(value);
        setOpen(false);
        return;
      }
      if (isSelected(value)) remove(value);
      else change([...selected, value]);
      setQuery(null);
    },
    remove,
    clear: () => {
      change(multiple ? [] : null);
      setQuery(null);
      inputRef.current?.focus();
    },
    isSelected,
    text,
    highlighted,
    setHighlighted,
    autoHighlight,
    listId,
    inputRef,
    anchorRef,
  };

  return (
    <ComboboxContext.Provider value={context}>
      <PopoverPrimitive.Root open={open} onOpenChange={setOpen}>
        {children}
      </PopoverPrimitive.Root>
      {name &&
        selected.map((one, index) => (
          <input
            key={index}
            type="hidden"
            name={name}
            value={itemToStringValue ? itemToStringValue(one as Value) : sentFor(one)}
          />
        ))}
    </ComboboxContext.Provider>
  );
}

function ComboboxValue({
  children,
  placeholder,
}: {
  // It is called with the Combobox's value, whose type it can't know.
  children?: React.ReactNode | ((value: any) => React.ReactNode);
  placeholder?: React.ReactNode;
}) {
  const { selected, multiple, text } = useCombobox();
  if (typeof children === "function") return children(multiple ? selected : (selected[0] ?? null));
  return <>{children ?? (selected.map(text).join(", ") || placeholder)}</>;
}

function ComboboxTrigger({
  className,
  children,
  onClick,
  render,
  ...props
}: React.ComponentProps<typeof PopoverPrimitive.Trigger> & {
  /** Another button to be it, with what stands in it. */
  render?: React.ReactElement<{ children?: React.ReactNode }>;
}) {
  const { disabled, inputRef } = useCombobox();
  const content = (
    <>
      {children}
      <ChevronDownIcon className="pointer-events-none size-4 shrink-0 text-muted-foreground" />
    </>
  );
  return (
    <PopoverPrimitive.Trigger
      disabled={disabled}
      className={cn("[&_svg:not([class*='size-'])]:size-4", className)}
      onClick={(event) => {
        onClick?.(event);
        inputRef.current?.focus();
      }}
      {...props}
      // A button that it is made the child of has a name of its own for it.
      data-slot="combobox-trigger"
      asChild={props.asChild || Boolean(render)}
    >
      {render ? React.cloneElement(render, undefined, render.props.children ?? content) : props.asChild ? children : content}
    </PopoverPrimitive.Trigger>
  );
}

function ComboboxClear({ className, ...props }: React.ComponentProps<typeof InputGroupButton>) {
  const { clear, selected, disabled } = useCombobox();
  if (selected.length === 0) return null;
  return (
    <InputGroupButton
      data-slot="combobox-clear"
      aria-label="Clear"
      size="icon-xs"
      disabled={disabled}
      className={className}
      onClick={clear}
      {...props}
    >
      <XIcon className="pointer-events-none" />
    </InputGroupButton>
  );
}

type FieldProps = Omit<React.ComponentProps<"input">, "value" | "defaultValue" | "ref">;

/** What makes an input the combobox's: its text, its keys, and what it says to assistive technology. */
function useField({ onChange, onClick, onKeyDown, disabled, ...props }: FieldProps) {
  const combobox = useCombobox();
  const { open, setOpen, setQuery, highlighted, setHighlighted, listId, inputRef } = combobox;
  // In the list itself it is for the search alone: what is chosen stands on the button that opened it.
  const query = React.useContext(InsideContentContext) ? combobox.typed : combobox.query;

  const options = () => {
    const list = document.getElementById(listId);
    return [...(list?.querySelectorAll<HTMLElement>("[role=option]:not([aria-disabled=true])") ?? [])];
  };
  const move = (step: "next" | "previous" | "first" | "last") => {
    const all = options();
    const at = all.findIndex((option) => option.id === highlighted);
    const target = {
      next: all[at + 1] ?? all[0],
      previous: all[at - 1] ?? all.at(-1),
      first: all[0],
      last: all.at(-1),
    }[step];
    target?.scrollIntoView({ block: "nearest" });
    setHighlighted(target?.id ?? null);
  };

  const handleKeyDown = (event: React.KeyboardEvent<HTMLInputElement>) => {
    onKeyDown?.(event);
    if (event.defaultPrevented || event.nativeEvent.isComposing) return;
    const step = ({ ArrowDown: "next", ArrowUp: "previous", Home: "first", End: "last" } as const)[event.key];
    if (event.key.startsWith("Arrow") && step && !open) {
      event.preventDefault();
      setOpen(true);
    } else if (step && open) {
      event.preventDefault();
      move(step);
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      if (highlighted) document.getElementById(highlighted)?.click();
      else if (combobox.autoHighlight && combobox.typed) options()[0]?.click();
    } else if (event.key === "Tab") {
      setOpen(false);
    } else if (event.key === "Backspace" && query === "" && combobox.multiple) {
      const last = combobox.selected.at(-1);
      if (last !== undefined) combobox.remove(last);
    }
  };

  return {
    autoComplete: "off",
    autoCorrect: "off",
    spellCheck: false,
    role: "combobox",
    "aria-autocomplete": "list" as const,
    "aria-expanded": open,
    "aria-controls": open ? listId : undefined,
    "aria-activedescendant": (open && highlighted) || undefined,
    ...props,
    ref: inputRef,
    disabled: disabled || combobox.disabled,
    value: query,
    onChange: (event: React.ChangeEvent<HTMLInputElement>) => {
      onChange?.(event);
      setOpen(true);
      setQuery(event.target.value);
    },
    onClick: (event: React.MouseEvent<HTMLInputElement>) => {
      onClick?.(event);
      setOpen(true);
    },
    onKeyDown: handleKeyDown,
  };
}

function ComboboxInput({
  className,
  children,
  showTrigger = true,
  showClear = false,
  ...props
}: FieldProps & { showTrigger?: boolean; showClear?: boolean }) {
  const { anchorRef, disabled } = useCombobox();
  const inside = React.useContext(InsideContentContext);
  const field = useField(props);
  const group = (
    <InputGroup ref={inside ? undefined : anchorRef} className={cn(inside ? "m-1 w-auto" : "w-full", className)}>
      <InputGroupInput {...field} />
      <InputGroupAddon align="inline-end">
        {showClear && <ComboboxClear />}
        {showTrigger && !inside && (
          <InputGroupButton size="icon-xs" disabled={disabled || props.disabled} asChild>
            <ComboboxTrigger aria-label="Show options" tabIndex={-1} />
          </InputGroupButton>
        )}
      </InputGroupAddon>
      {children}
    </InputGroup>
  );
  return inside ? group : <PopoverPrimitive.Anchor asChild>{group}</PopoverPrimitive.Anchor>;
}

type Place = Pick<React.ComponentProps<typeof PopoverPrimitive.Content>, "side" | "sideOffset" | "align" | "alignOffset">;

function ComboboxContent({
  className,
  sideOffset = 6,
  align = "start",
  anchor,
  ...props
}: React.ComponentProps<"div"> & Place & { anchor?: React.RefObject<HTMLDivElement | null> }) {
  const { anchorRef, inputRef } = useCombobox();
  const outside = (event: Event) => {
    const target = event.target as Node;
    return (anchor ?? anchorRef).current?.contains(target) || inputRef.current?.contains(target);
  };
  return (
    <PopoverPrimitive.Portal>
      <PopoverPrimitive.Content
        data-slot="combobox-content"
        sideOffset={sideOffset}
        align={align}
        // Its input keeps the focus, wherever it is.
        onOpenAutoFocus={(event) => {
          event.preventDefault();
          inputRef.current?.focus();
        }}
        onCloseAutoFocus={(event) => {
          if (inputRef.current) event.preventDefault();
        }}
        onInteractOutside={(event) => {
          if (outside(event)) event.preventDefault();
        }}
        className={cn(
          "group/combobox-content z-50 max-h-(--radix-popover-content-available-height) w-(--radix-popover-trigger-width) min-w-36 origin-(--radix-popover-content-transform-origin) overflow-hidden rounded-md border bg-popover text-popover-foreground shadow-md outline-hidden data-[side=bottom]:slide-in-from-top-2 data-[side=top]:slide-in-from-bottom-2 data-[state=closed]:animate-out data-[state=closed]:fade-out-0 data-[state=closed]:zoom-out-95 data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:zoom-in-95",
          className,
        )}
        {...props}
      >
        <InsideContentContext.Provider value={true}>{props.children}</InsideContentContext.Provider>
      </PopoverPrimitive.Content>
    </PopoverPrimitive.Portal>
  );
}

/** Called with an item, whose type only the Combobox knows. */
type EachItem = (item: any, index: number) => React.ReactNode;

function ComboboxList({
  className,
  children,
  ...props
}: Omit<React.ComponentProps<"div">, "children"> & { children?: React.ReactNode | EachItem }) {
  const { listId, multiple, typed, autoHighlight, highlighted, setHighlighted } = useCombobox();
  React.useEffect(() => {
    if (!autoHighlight || highlighted || !typed) return;
    const first = document.getElementById(listId)?.querySelector("[role=option]:not([aria-disabled=true])");
    if (first) setHighlighted(first.id);
  }, [autoHighlight, highlighted, listId, typed, setHighlighted]);

  return (
    <div
      id={listId}
      role="listbox"
      aria-multiselectable={multiple || undefined}
      data-slot="combobox-list"
      className={cn(
        "max-h-72 scroll-py-1 overflow-y-auto overscroll-contain p-1 not-has-[[data-slot=combobox-item]]:p-0",
        className,
      )}
      {...props}
    >
      {typeof children === "function" ? <ComboboxCollection>{children}</ComboboxCollection> : children}
    </div>
  );
}

/** One child per item of the group it is in, else of the Combobox. */
function ComboboxCollection({ children }: { children: EachItem }) {
  const { items, matches } = useCombobox();
  const own = React.useContext(GroupContext)?.items ?? items;
  const isGroup = (item: unknown) => item !== null && typeof item === "object" && "items" in item;
  return <>{own.filter((item) => isGroup(item) || matches(item)).map(children)}</>;
}

function ComboboxItem({
  className,
  children,
  value,
  disabled = false,
  onClick,
  ...props
}: Omit<React.ComponentProps<"div">, "value"> & { value: unknown; disabled?: boolean }) {
  const id = React.useId();
  const { choose, isSelected, matches, highlighted, setHighlighted } = useCombobox();
  if (!matches(value, typeof children === "string" ? children : undefined)) return null;
  const selected = isSelected(value);
  return (
    <div
      id={id}
      role="option"
      aria-selected={selected}
      aria-disabled={disabled || undefined}
      data-slot="combobox-item"
      data-selected={selected || undefined}
      data-highlighted={highlighted === id || undefined}
      className={cn(
        "relative flex w-full cursor-default items-center gap-2 rounded-sm py-1.5 pr-8 pl-2 text-sm outline-hidden select-none aria-disabled:pointer-events-none aria-disabled:opacity-50 data-highlighted:bg-accent data-highlighted:text-accent-foreground [&_svg]:pointer-events-none [&_svg]:shrink-0 [&_svg:not([class*='size-'])]:size-4",
        className,
      )}
      // The input keeps the focus.
      onPointerDown={(event) => event.preventDefault()}
      onMouseDown={(event) => event.preventDefault()}
      onPointerMove={() => highlighted !== id && setHighlighted(id)}
      onClick={(event) => {
        onClick?.(event);
        if (!disabled && !event.defaultPrevented) choose(value);
      }}
      {...props}
    >
      {children}
      {selected && <CheckIcon className="absolute right-2 size-4" />}
    </div>
  );
}

function ComboboxGroup({ className, items, ...props }: React.ComponentProps<"div"> & { items?: readonly unknown[] }) {
  const labelId = React.useId();
  const [labelled, setLabelled] = React.useState(false);
  const context = React.useMemo(() => ({ items, labelId, setLabelled }), [items, labelId]);
  return (
    <GroupContext.Provider value={context}>
      <div
        role="group"
        aria-labelledby={labelled ? labelId : undefined}
        data-slot="combobox-group"
        className={cn("not-has-[[data-slot=combobox-item]]:hidden", className)}
        {...props}
      />
    </GroupContext.Provider>
  );
}

function ComboboxLabel({ className, ...props }: React.ComponentProps<"div">) {
  const group = React.useContext(GroupContext);
  const setLabelled = group?.setLabelled;
  React.useEffect(() => {
    setLabelled?.(true);
    return () => setLabelled?.(false);
  }, [setLabelled]);
  return (
    <div
      id={group?.labelId}
      data-slot="combobox-label"
      className={cn("px-2 py-1.5 text-xs text-muted-foreground", className)}
      {...props}
    />
  );
}

function ComboboxEmpty({ className, ...props }: React.ComponentProps<"div">) {
  return (
    <div
      data-slot="combobox-empty"
      className={cn(
        "py-2 text-center text-sm text-muted-foreground group-has-[[data-slot=combobox-item]]/combobox-content:hidden",
        className,
      )}
      {...props}
    />
  );
}

function ComboboxSeparator({ className, ...props }: React.ComponentProps<"div">) {
  return (
    <div role="presentation" data-slot="combobox-separator" className={cn("-mx-1 my-1 h-px bg-border", className)} {...props} />
  );
}

function ComboboxChips({ className, ref, ...props }: React.ComponentProps<"div">) {
  const { anchorRef, inputRef, setOpen } = useCombobox();
  return (
    <PopoverPrimitive.Anchor asChild>
      <div
        ref={(element) => {
          anchorRef.current = element;
          if (typeof ref === "function") ref(element);
          else if (ref) ref.current = element;
        }}
        data-slot="combobox-chips"
        className={cn(
          "flex min-h-9 w-full cursor-text flex-wrap items-center gap-1.5 rounded-md border border-input bg-transparent px-2.5 py-1.5 text-sm shadow-xs transition-[color,box-shadow] focus-within:border-ring focus-within:ring-[3px] focus-within:ring-ring/50 has-aria-invalid:border-destructive has-aria-invalid:ring-destructive/20 has-data-[slot=combobox-chip]:px-1.5 dark:bg-input/30",
          className,
        )}
        onClick={() => {
          inputRef.current?.focus();
          setOpen(true);
        }}
        {...props}
      />
    </PopoverPrimitive.Anchor>
  );
}

/** Without a `value`, the chip is that of the value its text names. */
function ComboboxChip({
  className,
  children,
  value,
  showRemove = true,
  ...props
}: Omit<React.ComponentProps<"div">, "value"> & { value?: unknown; showRemove?: boolean }) {
  const { remove, selected, text, disabled } = useCombobox();
  const own = value ?? selected.find((one) => text(one) === children);
  return (
    <div
      data-slot="combobox-chip"
      className={cn(
        "flex h-6 w-fit items-center gap-1 rounded-sm bg-muted px-1.5 text-xs font-medium whitespace-nowrap text-foreground has-data-[slot=combobox-chip-remove]:pr-0",
        className,
      )}
      {...props}
    >
      {children}
      {showRemove && (
        <Button
          type="button"
          variant="ghost"
          size="icon-sm"
          disabled={disabled}
          data-slot="combobox-chip-remove"
          aria-label={`Remove ${text(own)}`}
          className="-ml-1 size-6 opacity-50 hover:opacity-100 [&_svg:not([class*='size-'])]:size-3"
          onClick={(event) => {
            event.stopPropagation();
            remove(own);
          }}
        >
          <XIcon />
        </Button>
      )}
    </div>
  );
}

function ComboboxChipsInput({ className, ...props }: FieldProps) {
  const field = useField(props);
  return (
    <input data-slot="combobox-chip-input" className={cn("min-w-16 flex-1 bg-transparent outline-none", className)} {...field} />
  );
}

function useComboboxAnchor() {
  return React.useRef<HTMLDivElement | null>(null);
}

export {
  Combobox,
  ComboboxInput,
  ComboboxContent,
  ComboboxList,
  ComboboxItem,
  ComboboxGroup,
  ComboboxLabel,
  ComboboxCollection,
  ComboboxEmpty,
  ComboboxSeparator,
  ComboboxChips,
  ComboboxChip,
  ComboboxChipsInput,
  ComboboxTrigger,
  ComboboxClear,
  ComboboxValue,
  useComboboxAnchor,
};
