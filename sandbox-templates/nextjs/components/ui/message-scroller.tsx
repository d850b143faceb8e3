"use client";

import * as React from "react";
import { ArrowDownIcon } from "lucide-react";
import { Slot } from "radix-ui";

import { Button } from "@/components/ui/button";
import { cn } from "@/lib/utils";

type Edges = {
  /** There is more above. */
  start: boolean;
  /** There is more below. */
  end: boolean;
};

type Visibility = {
  /** The anchor of the turn that is being read. */
  currentAnchorId: string | null;
  /** The messages that are in view, in their order. */
  visibleMessageIds: string[];
};

type ScrollOptions = {
  align?: "start" | "center" | "end" | "nearest";
  behavior?: ScrollBehavior;
  /** In pixels, instead of the provider's. */
  scrollMargin?: number;
};

type ProviderOptions = {
  /** Follows what is written while the reader is at the end. */
  autoScroll?: boolean;
  /** Where a conversation opens. */
  defaultScrollPosition?: "start" | "end" | "last-anchor";
  /** How near to an edge counts as being there, in pixels. */
  scrollEdgeThreshold?: number;
  /** How much of what came before stays in view above an anchor, in pixels. */
  scrollPreviousItemPeek?: number;
  /** Space that is kept at the edge a message is aligned to, in pixels. */
  scrollMargin?: number;
};

function observable<Value>(value: Value) {
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next: Value) {
      if (JSON.stringify(next) === JSON.stringify(value)) return;
      value = next;
      for (const listener of listeners) listener();
    },
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/**
 * Moves the viewport when messages come and grow. A new anchor goes to the top, with room under it for the answer; a reader at the end
 * follows it; for everyone else what they read stays where it is, whatever is added above it.
 */
class Scroller {
  options: Required<ProviderOptions> = {
    autoScroll: false,
    defaultScrollPosition: "end",
    scrollEdgeThreshold: 8,
    scrollPreviousItemPeek: 64,
    scrollMargin: 0,
  };
  keepPlace = true;
  readonly edges = observable<Edges>({ start: false, end: false });
  readonly visibility = observable<Visibility>({ currentAnchorId: null, visibleMessageIds: [] });

  private content: HTMLElement | null = null;
  private spacer: HTMLElement | null = null;
  private viewport: HTMLElement | null = null;
  private opened = false;
  private following = false;
  /** A smooth scroll goes on until then; the reader's hand is on it until then: both in milliseconds of the page's clock. */
  private movingUntil = 0;
  private heldUntil = 0;
  private lastTop = 0;
  private anchor: HTMLElement | null = null;
  private lastItem: HTMLElement | null = null;
  private read: { item: HTMLElement; offset: number } | null = null;

  connect(viewport: HTMLElement, content: HTMLElement, spacer: HTMLElement) {
    Object.assign(this, { viewport, content, spacer });
    const changed = () => this.changed();
    const mutations = new MutationObserver(changed);
    mutations.observe(content, { childList: true });
    const sizes = new ResizeObserver(changed);
    sizes.observe(viewport);
    sizes.observe(content);

    const leaving = new AbortController();
    const listen = (type: string, listener: (event: Event) => void) =>
      viewport.addEventListener(type, listener, { passive: true, signal: leaving.signal });
    const hold = () => {
      this.movingUntil = 0;
      this.heldUntil = performance.now() + 150;
    };
    listen("scroll", () => this.scrolled());
    listen("scrollend", () => (this.movingUntil = 0));
    for (const type of ["wheel", "touchmove", "pointerdown"]) listen(type, hold);
    listen("keydown", (event) => {
      if (/^(Arrow(Up|Down)|Page(Up|Down)|Home|End| )$/.test((event as KeyboardEvent).key)) hold();
    });
    this.changed();
    return () => {
      leaving.abort();
      mutations.disconnect();
      sizes.disconnect();
      Object.assign(this, { viewport: null, content: null, spacer: null, opened: false, anchor: null, lastItem: null, read: null });
    };
  }

  toMessage(id: string, { align = "start", behavior = "smooth", scrollMargin = this.options.scrollMargin }: ScrollOptions = {}) {
    const item = this.items().find((item) => item.dataset.messageId === id);
    if (!item || !this.viewport) return false;
    const { scrollTop, clientHeight } = this.viewport;
    const start = this.topOf(item) - scrollMargin;
    const end = this.topOf(item) + item.offsetHeight + scrollMargin - clientHeight;
    const nearest = scrollTop > start ? start : scrollTop < end ? end : scrollTop;
    this.following = false;
    this.moveTo({ start, end, center: (start + end) / 2, nearest }[align], behavior);
    return true;
  }

  toStart({ behavior = "smooth" }: ScrollOptions = {}) {
    this.following = false;
    this.moveTo(0, behavior);
    return this.viewport !== null;
  }

  toEnd({ behavior = "smooth" }: ScrollOptions = {}) {
    this.following = this.options.autoScroll;
    this.moveTo(this.end(), behavior);
    return this.viewport !== null;
  }

  focus() {
    this.viewport?.focus({ preventScroll: true });
  }

  /** Tells who asks what is in view. */
  look() {
    const { viewport } = this;
    if (!viewport) return;
    const top = viewport.scrollTop;
    const bottom = top + viewport.clientHeight;
    const { scrollEdgeThreshold, scrollMargin, scrollPreviousItemPeek } = this.options;
    this.edges.set({ start: top > scrollEdgeThreshold, end: this.end() - top > scrollEdgeThreshold });

    const line = top + scrollMargin + scrollPreviousItemPeek + 1;
    const named = this.items().filter((item) => item.dataset.messageId);
    const inView = named.filter((item) => this.topOf(item) < bottom && this.topOf(item) + item.offsetHeight > top);
    const turn = named.findLast((item) => isAnchor(item) && this.topOf(item) <= line);
    this.visibility.set({
      currentAnchorId: turn?.dataset.messageId ?? null,
      visibleMessageIds: inView.flatMap((item) => item.dataset.messageId ?? []),
    });
  }

  private items() {
    return [...(this.content?.children ?? [])] as HTMLElement[];
  }

  private end() {
    return this.viewport ? this.viewport.scrollHeight - this.viewport.clientHeight : 0;
  }

  /** Where an element begins, measured from the beginning of all there is to scroll. */
  private topOf(element: HTMLElement) {
    if (!this.viewport) return 0;
    return element.getBoundingClientRect().top - this.viewport.getBoundingClientRect().top + this.viewport.scrollTop;
  }

  private placeOf(anchor: HTMLElement) {
    return Math.max(0, this.topOf(anchor) - this.options.scrollMargin - this.options.scrollPreviousItemPeek);
  }

  private moveTo(top: number, behavior: ScrollBehavior) {
    const { viewport } = this;
    if (!viewport) return;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const smooth = behavior === "smooth" && !still && Math.abs(viewport.scrollTop - top) > 1;
    this.movingUntil = smooth ? performance.now() + 1000 : 0;
    viewport.scrollTo({ top, behavior: smooth ? "smooth" : "instant" });
  }

  private changed() {
    const items = this.items();
    if (items.length === 0) {
      this.opened = false;
      this.anchor = null;
    } else if (!this.opened) {
      this.open(items);
    } else {
      const isNew = this.lastItem ? items.indexOf(this.lastItem) + 1 : items.length;
      const added = isNew > 0 ? items.slice(isNew).findLast(isAnchor) : undefined;
      this.anchor = added ?? (this.anchor?.isConnected ? this.anchor : null);
      this.makeRoom();
      const now = performance.now();
      if (added) {
        this.moveTo(this.placeOf(added), "smooth");
        this.following = this.options.autoScroll && this.placeOf(added) >= this.end() - 1;
      } else if (this.following && now > this.heldUntil) {
        if (now < this.movingUntil) this.moveTo(this.end(), "smooth");
        else if (this.viewport) this.viewport.scrollTop = this.end();
      } else if (this.viewport && this.keepPlace && this.read?.item.isConnected) {
        const moved = this.read.item.offsetTop - this.read.offset;
        if (moved !== 0) this.viewport.scrollTop += moved;
      }
    }
    this.lastItem = items.at(-1) ?? null;
    this.remember();
    this.look();
  }

  private open(items: HTMLElement[]) {
    const { viewport } = this;
    if (!viewport) return;
    this.opened = true;
    const anchor = items.findLast(isAnchor);
    const position = this.options.defaultScrollPosition;
    const top = position === "start" ? 0 : position === "last-anchor" && anchor ? Math.min(this.placeOf(anchor), this.end()) : this.end();
    viewport.scrollTop = top;
    this.following = this.options.autoScroll && top >= this.end() - this.options.scrollEdgeThreshold;
  }

  /** As much room under the last turn as it takes for its anchor to be at the top. */
  private makeRoom() {
    const { viewport, content, spacer, anchor } = this;
    if (!viewport || !content || !spacer) return;
    const bottom = this.topOf(content) + content.offsetHeight;
    const room = anchor ? Math.max(0, this.placeOf(anchor) + viewport.clientHeight - bottom) : 0;
    spacer.style.height = `${room}px`;
  }

  private scrolled() {
    const { viewport } = this;
    if (!viewport) return;
    const top = viewport.scrollTop;
    if (this.end() - top <= this.options.scrollEdgeThreshold) this.following = this.options.autoScroll;
    // Downwards it may be that the end has moved on meanwhile.
    else if (top < this.lastTop - 1) this.following = false;
    this.remember();
    this.look();
  }

  /** What is being read: the first message in view. */
  private remember() {
    const { viewport } = this;
    if (!viewport) return;
    this.lastTop = viewport.scrollTop;
    const item = this.items().find(
      (item) => item.dataset.messageId && this.topOf(item) + item.offsetHeight > viewport.scrollTop,
    );
    this.read = item ? { item, offset: item.offsetTop } : null;
  }
}

const isAnchor = (item: HTMLElement) => item.dataset.scrollAnchor === "true";

const ScrollerContext = React.createContext<Scroller | null>(null);

function useScroller() {
  const scroller = React.useContext(ScrollerContext);
  if (!scroller) throw new Error("MessageScroller parts must be used within a <MessageScrollerProvider />");
  return scroller;
}

function MessageScrollerProvider({
  children,
  autoScroll = false,
  defaultScrollPosition = "end",
  scrollEdgeThreshold = 8,
  scrollPreviousItemPeek = 64,
  scrollMargin = 0,
}: ProviderOptions & { children?: React.ReactNode }) {
  const [scroller] = React.useState(() => new Scroller());
  // Before the content's own effect, which opens the conversation.
  React.useInsertionEffect(() => {
    scroller.options = { autoScroll, defaultScrollPosition, scrollEdgeThreshold, scrollPreviousItemPeek, scrollMargin };
  });
  return <ScrollerContext.Provider value={scroller}>{children}</ScrollerContext.Provider>;
}

/** Fills what it is in, which has to have a height. */
function MessageScroller({ className, ...props }: React.ComponentProps<"div">) {
  return (
    <div
      data-slot="message-scroller"
      className={cn("group/message-scroller relative flex size-full min-h-0 flex-col overflow-hidden", className)}
      {...props}
    />
  );
}

function MessageScrollerViewport({
  className,
  preserveScrollOnPrepend = true,
  ...props
}: React.ComponentProps<"div"> & { preserveScrollOnPrepend?: boolean }) {
  const scroller = useScroller();
  React.useInsertionEffect(() => {
    scroller.keepPlace = preserveScrollOnPrepend;
  });
  return (
    <div
      data-slot="message-scroller-viewport"
      role="region"
      aria-label="Messages"
      tabIndex={0}
      className={cn(
        "size-full min-h-0 min-w-0 overflow-y-auto overscroll-contain rounded-[inherit] outline-none [overflow-anchor:none] focus-visible:ring-[3px] focus-visible:ring-ring/50 focus-visible:ring-inset",
        className,
      )}
      {...props}
    />
  );
}

function MessageScrollerContent({ className, ...props }: React.ComponentProps<"div">) {
  const scroller = useScroller();
  const contentRef = React.useRef<HTMLDivElement>(null);
  const spacerRef = React.useRef<HTMLDivElement>(null);
  React.useLayoutEffect(() => {
    const viewport = contentRef.current?.closest<HTMLElement>("[data-slot=message-scroller-viewport]");
    if (!viewport || !contentRef.current || !spacerRef.current) return;
    return scroller.connect(viewport, contentRef.current, spacerRef.current);
  }, [scroller]);

  return (
    <>
      <div
        role="log"
        aria-relevant="additions"
        data-slot="message-scroller-content"
        className={cn("relative flex h-max min-h-full flex-col gap-6", className)}
        {...props}
        ref={contentRef}
      />
      <div ref={spacerRef} aria-hidden="true" data-slot="message-scroller-spacer" />
    </>
  );
}

/** Every child of the content is one: a message, a marker, a button that loads earlier ones. */
function MessageScrollerItem({
  className,
  messageId,
  scrollAnchor = false,
  ...props
}: React.ComponentProps<"div"> & {
  /** What `scrollToMessage` and the visibility call it. */
  messageId?: string;
  /** A turn begins here: when it is added it goes to the top. */
  scrollAnchor?: boolean;
}) {
  return (
    <div
      data-slot="message-scroller-item"
      data-message-id={messageId}
      data-scroll-anchor={scrollAnchor}
      className={cn("min-w-0 shrink-0", className)}
      {...props}
    />
  );
}

function MessageScrollerButton({
  className,
  children,
  direction = "end",
  behavior = "smooth",
  variant = "outline",
  size = "icon-sm",
  render,
  onClick,
  ...props
}: Omit<React.ComponentProps<typeof Button>, "asChild"> & {
  direction?: "start" | "end";
  behavior?: ScrollBehavior;
  /** Another button to be it. */
  render?: React.ReactElement<{ children?: React.ReactNode }>;
}) {
  const scroller = useScroller();
  const active = useMessageScrollerScrollable()[direction];
  const label = children ?? (
    <>
      <ArrowDownIcon className={direction === "start" ? "rotate-180" : undefined} />
      <span className="sr-only">{direction === "end" ? "Scroll to end" : "Scroll to start"}</span>
    </>
  );
  const button = render ?? <Button type="button" variant={variant} size={size} />;
  return (
    <Slot.Root
      data-slot="message-scroller-button"
      data-direction={direction}
      data-active={active}
      inert={!active}
      className={cn(
        "absolute left-1/2 z-10 -translate-x-1/2 rounded-full shadow-md transition-[opacity,translate] duration-200 data-[active=false]:opacity-0 data-[direction=end]:bottom-3 data-[direction=end]:data-[active=false]:translate-y-2 data-[direction=start]:top-3 data-[direction=start]:data-[active=false]:-translate-y-2 dark:bg-background dark:hover:bg-accent",
        className,
      )}
      onClick={(event: React.MouseEvent<HTMLButtonElement>) => {
        onClick?.(event);
        if (event.defaultPrevented) return;
        // It is about to go, and would take the focus with it.
        scroller.focus();
        if (direction === "end") scroller.toEnd({ behavior });
        else scroller.toStart({ behavior });
      }}
      {...props}
    >
      {React.cloneElement(button, undefined, button.props.children ?? label)}
    </Slot.Root>
  );
}

/** Moves the conversation from anywhere within the provider; each returns whether there was something to move to. */
function useMessageScroller() {
  const scroller = useScroller();
  return React.useMemo(
    () => ({
      scrollToMessage: (messageId: string, options?: ScrollOptions) => scroller.toMessage(messageId, options),
      scrollToStart: (options?: ScrollOptions) => scroller.toStart(options),
      scrollToEnd: (options?: ScrollOptions) => scroller.toEnd(options),
    }),
    [scroller],
  );
}

/** Whether there is more above (`start`) and below (`end`). */
function useMessageScrollerScrollable() {
  const { edges } = useScroller();
  return React.useSyncExternalStore(edges.subscribe, edges.get, edges.get);
}

/** Which messages are in view, and whose turn is being read. */
function useMessageScrollerVisibility() {
  const { visibility } = useScroller();
  return React.useSyncExternalStore(visibility.subscribe, visibility.get, visibility.get);
}

export {
  MessageScrollerProvider,
  MessageScroller,
  MessageScrollerViewport,
  MessageScrollerContent,
  MessageScrollerItem,
  MessageScrollerButton,
  useMessageScroller,
  useMessageScrollerScrollable,
  useMessageScrollerVisibility,
};
