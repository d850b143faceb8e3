//! The page's title.

use leptos::prelude::*;
use leptos_meta::Title;

/// Names the page. The server writes the head last, when the page's signals may be gone, so there
/// the title is read at once; in the browser it follows them.
#[component]
pub fn PageTitle(#[prop(into)] text: Signal<String>) -> impl IntoView {
    #[cfg(feature = "ssr")]
    let text = text.get_untracked();
    view! { <Title text/> }
}
