//! The look of a text field that grows with its text.

/// Classes of a `<textarea>` inside a bordered box: the box shows the focus.
pub const TEXTAREA: &str = "field-sizing-content w-full resize-none bg-transparent text-base leading-6 text-foreground outline-none \
                            placeholder:text-muted-foreground disabled:cursor-not-allowed md:text-sm md:leading-6";
