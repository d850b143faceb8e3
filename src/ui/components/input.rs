//! The look of fields of one line: what is typed, and what is chosen.

/// Classes of an `<input>`. Sixteen pixels on a phone, where smaller ones make the browser zoom in.
pub const INPUT: &str = "h-9 w-full min-w-0 rounded-lg border border-border bg-card px-3 text-base text-foreground shadow-xs outline-none \
                         placeholder:text-muted-foreground focus-within-ring md:text-sm";

/// Classes of a `<select>`; its arrow is drawn beside it.
pub const SELECT: &str = "h-9 w-full cursor-pointer appearance-none rounded-lg border border-border bg-card pr-8 pl-3 text-base \
                          text-foreground shadow-xs focus-ring md:text-sm";
