//! The card of a page for links elsewhere, by Open Graph (<https://ogp.me>).

use std::sync::Arc;

use leptos::prelude::*;
use leptos_meta::Meta;

/// The app's public origin; a context on the server.
#[derive(Debug, Clone)]
pub struct SiteUrl(pub Arc<str>);

/// The card of the page; `path` and `picture` are paths of this site.
#[component]
pub fn LinkCard(
    #[prop(into)] title: String,
    description: &'static str,
    path: Option<String>,
    #[prop(into)] picture: String,
) -> impl IntoView {
    // Whoever fetches it has no page to resolve relative addresses against.
    let site = use_context::<SiteUrl>().map_or_else(String::new, |site| site.0.to_string());
    view! {
        <Meta name="description" content=description/>
        <Meta property="og:site_name" content="CodeFlow"/>
        <Meta property="og:title" content=title/>
        <Meta property="og:description" content=description/>
        <Meta property="og:type" content="website"/>
        {path.map(|path| view! { <Meta property="og:url" content=format!("{site}{path}")/> })}
        <Meta property="og:image" content=format!("{site}{picture}")/>
        <Meta name="twitter:card" content="summary_large_image"/>
    }
}
