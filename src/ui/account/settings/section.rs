//! A part of the settings, with its heading.

use leptos::prelude::*;

use crate::ui::components::CARD;

#[component]
pub fn Section(
    id: &'static str,
    heading: &'static str,
    #[prop(optional, into)] lead: String,
    children: Children,
) -> impl IntoView {
    view! {
        <section aria-labelledby=id class=format!("flex flex-col gap-4 p-5 sm:p-6 {CARD}")>
            <div>
                <h2 id=id class="text-base font-semibold tracking-tight">{heading}</h2>
                <p class="mt-1 text-sm leading-6 text-pretty text-muted-foreground empty:hidden">{lead}</p>
            </div>
            {children()}
        </section>
    }
}
