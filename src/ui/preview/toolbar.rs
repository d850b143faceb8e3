//! The bar over the preview: reload, the address, the width to try, a window of its own.

use leptos::prelude::*;

use crate::ui::components::{Button, ButtonSize, ButtonVariant, Icon, IconName, button_class};

/// How wide the frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Desktop,
    Tablet,
    Phone,
}

impl Width {
    const ALL: [(Self, IconName, &'static str); 3] = [
        (Self::Desktop, IconName::Monitor, "Full width"),
        (Self::Tablet, IconName::Tablet, "Tablet width"),
        (Self::Phone, IconName::Smartphone, "Phone width"),
    ];

    pub fn class(self) -> &'static str {
        match self {
            Self::Desktop => "w-full",
            Self::Tablet => "w-[768px] max-w-full shadow-lg",
            Self::Phone => "w-[390px] max-w-full shadow-lg",
        }
    }
}

#[component]
pub fn PreviewBar(
    /// Of the page that is open in the preview.
    address: Signal<Option<String>>,
    width: RwSignal<Width>,
    on_reload: impl Fn() + 'static,
) -> impl IntoView {
    let absent = Memo::new(move |_| address.with(Option::is_none));
    view! {
        <div class="flex h-11 shrink-0 items-center gap-1 border-b border-border px-2">
            <Button
                variant=ButtonVariant::Ghost
                size=ButtonSize::Icon
                disabled=absent
                on:click=move |_| on_reload()
                attr:aria-label="Reload the preview"
                attr:title="Reload"
            >
                <Icon name=IconName::RotateCw/>
            </Button>
            <div class="mx-1 flex h-7 min-w-0 flex-1 items-center rounded-md bg-muted px-2.5 font-mono text-xs text-muted-foreground">
                <span class="truncate">{move || address.get().unwrap_or_else(|| "No preview yet".to_owned())}</span>
            </div>
            <div role="group" aria-label="Width of the preview" class="hidden items-center md:flex">
                {Width::ALL
                    .map(|(choice, icon, label)| {
                        view! {
                            <Button
                                variant=ButtonVariant::Ghost
                                size=ButtonSize::Icon
                                on:click=move |_| width.set(choice)
                                attr:aria-label=label
                                attr:title=label
                                attr:aria-pressed=move || (width.get() == choice).to_string()
                            >
                                <Icon name=icon/>
                            </Button>
                        }
                    })}
            </div>
            {move || {
                (!absent.get())
                    .then(|| {
                        view! {
                            <a
                                href=move || address.get()
                                target="_blank"
                                rel="noopener"
                                aria-label="Open in new tab"
                                title="Open in new tab"
                                class=button_class(ButtonVariant::Ghost, ButtonSize::Icon)
                            >
                                <Icon name=IconName::ExternalLink/>
                            </a>
                        }
                    })
            }}
        </div>
    }
}
