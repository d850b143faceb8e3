//! The button, and its look for links that act like one.

use leptos::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ButtonVariant {
    #[default]
    Default,
    Outline,
    Ghost,
    /// For what can't be undone.
    Destructive,
}

impl ButtonVariant {
    fn class(self) -> &'static str {
        match self {
            Self::Default => "bg-primary text-primary-foreground shadow-xs hover:bg-primary/90",
            Self::Outline => {
                "border border-border bg-card text-foreground shadow-xs hover:bg-accent hover:text-accent-foreground aria-pressed:bg-accent"
            }
            Self::Ghost => {
                "text-muted-foreground hover:bg-accent hover:text-accent-foreground aria-pressed:bg-accent aria-pressed:text-accent-foreground"
            }
            Self::Destructive => {
                "bg-destructive text-white shadow-xs hover:bg-destructive/90 dark:bg-destructive/70 dark:hover:bg-destructive/60"
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ButtonSize {
    #[default]
    Default,
    Sm,
    /// Square, for a lone icon.
    Icon,
}

impl ButtonSize {
    fn class(self) -> &'static str {
        match self {
            Self::Default => "h-9 px-4 text-sm",
            Self::Sm => "h-7 px-2.5 text-xs",
            Self::Icon => "size-8",
        }
    }
}

/// The classes of a button, for an `<a>` that looks like one.
pub fn button_class(variant: ButtonVariant, size: ButtonSize) -> String {
    const BASE: &str = "inline-flex shrink-0 cursor-pointer items-center justify-center gap-1.5 rounded-lg font-medium whitespace-nowrap \
                        transition-colors focus-ring disabled:cursor-not-allowed disabled:opacity-50";
    format!("{BASE} {} {}", variant.class(), size.class())
}

/// A `<button>` that never submits a form unless `submit` says so.
#[component]
pub fn Button(
    #[prop(optional)] variant: ButtonVariant,
    #[prop(optional)] size: ButtonSize,
    #[prop(optional)] submit: bool,
    #[prop(optional, into)] disabled: Signal<bool>,
    children: Children,
) -> impl IntoView {
    view! {
        <button type=if submit { "submit" } else { "button" } class=button_class(variant, size) disabled=disabled>
            {children()}
        </button>
    }
}
