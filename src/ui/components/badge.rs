//! A small label.

use leptos::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadgeVariant {
    #[default]
    Secondary,
    Outline,
    /// Work in progress. As in the next variants, the text keeps its colour; only the icon beside
    /// it is coloured.
    Brand,
    Success,
    Destructive,
}

impl BadgeVariant {
    fn class(self) -> &'static str {
        match self {
            Self::Secondary => {
                "inline-flex items-center gap-1 rounded-full bg-secondary px-2 py-0.5 text-xs font-medium text-secondary-foreground"
            }
            Self::Outline => {
                "inline-flex items-center gap-1 rounded-full border border-border px-2 py-0.5 text-xs font-medium text-muted-foreground"
            }
            Self::Brand => {
                "inline-flex items-center gap-1 rounded-full bg-brand/12 px-2 py-0.5 text-xs font-medium text-foreground"
            }
            Self::Success => {
                "inline-flex items-center gap-1 rounded-full bg-success/12 px-2 py-0.5 text-xs font-medium text-foreground"
            }
            Self::Destructive => {
                "inline-flex items-center gap-1 rounded-full bg-destructive/12 px-2 py-0.5 text-xs font-medium text-foreground"
            }
        }
    }
}

#[component]
pub fn Badge(#[prop(optional)] variant: BadgeVariant, children: Children) -> impl IntoView {
    view! { <span class=variant.class()>{children()}</span> }
}
