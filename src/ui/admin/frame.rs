//! The common parts of the administration pages: navigation, the result of the last form, tables,
//! and links that keep a filter.

use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, location::Url};

use crate::{
    api::admin::take_notice,
    protocol::{ApiError, Notice},
    ui::{
        browser,
        components::{Alert, Button, ButtonVariant, CARD, INPUT, Icon, IconName, Skeleton},
        home::SiteHeader,
        not_found::NotFound,
        page_title::PageTitle,
        visitor,
    },
};

pub const LINK: &str = "rounded-sm underline underline-offset-3 focus-ring";
pub const CELL: &str = "px-3 py-2.5 align-top";
pub const FIELD_LABEL: &str = "flex flex-col gap-1 text-xs font-medium text-muted-foreground";

const PAGES: [(&str, &str); 7] = [
    ("Runs", "/admin/runs"),
    ("Users", "/admin/users"),
    ("Projects", "/admin/projects"),
    ("Sandboxes", "/admin/sandboxes"),
    ("Models", "/admin/models"),
    ("Data", "/admin/data"),
    ("Audit log", "/admin/audit"),
];

/// The navigation between all administration pages; `current` is the page shown, or its parent.
#[component]
pub fn AdminNav(current: &'static str) -> impl IntoView {
    let link = move |(name, path): (&'static str, &'static str)| {
        let is_current = path == current;
        view! {
            <li>
                <a
                    href=path
                    aria-current=is_current.then_some("page")
                    class="block border-b-2 border-transparent px-3 py-2 text-sm whitespace-nowrap text-muted-foreground hover:text-foreground focus-ring aria-[current=page]:border-foreground aria-[current=page]:font-medium aria-[current=page]:text-foreground"
                >
                    {name}
                </a>
            </li>
        }
    };
    view! {
        <nav aria-label="Administration" class="border-b border-border">
            <ul class="mx-auto flex max-w-6xl overflow-x-auto px-2">{PAGES.map(link)}</ul>
        </nav>
    }
}

/// A page of administration, for those who may open it.
pub fn page(
    title: &'static str,
    path: &'static str,
    lead: &'static str,
    content: impl FnOnce() -> AnyView,
) -> AnyView {
    if !visitor::is_administrator() {
        return view! { <NotFound/> }.into_any();
    }
    let notice = Resource::new_blocking(|| (), |()| take_notice());
    view! {
        <PageTitle text=title/>
        <SiteHeader/>
        <AdminNav current=path/>
        <main class="mx-auto flex max-w-6xl flex-col gap-5 px-4 pt-6 pb-24 sm:px-5">
            <div>
                <h1 class="text-2xl font-semibold tracking-tight">{title}</h1>
                <p class="mt-1 text-sm text-pretty text-muted-foreground">{lead}</p>
            </div>
            <Transition>{move || Suspend::new(async move { notice.await.ok().flatten().map(notice_view) })}</Transition>
            {content()}
        </main>
    }
    .into_any()
}

fn notice_view(notice: Notice) -> AnyView {
    if notice.failed {
        return view! { <Alert>{notice.message}</Alert> }.into_any();
    }
    let link = notice.link.map(|link| {
        let text = link.clone();
        let copied = RwSignal::new(false);
        let copy = move |_| copied.set(browser::copy(&text));
        view! {
            <div class="mt-2 flex gap-2">
                <input readonly aria-label="Link" value=link class=format!("{INPUT} font-mono")/>
                <Button variant=ButtonVariant::Outline on:click=copy>
                    <Icon name=IconName::Copy/>
                    {move || if copied.get() { "Copied" } else { "Copy" }}
                </Button>
            </div>
        }
    });
    view! {
        <div role="status" class=format!("p-4 text-sm leading-6 {CARD}")>
            <p>{notice.message}</p>
            {link}
        </div>
    }
    .into_any()
}

/// The loaded view, or the error.
pub fn loaded<T: 'static>(found: Result<T, ApiError>, view: impl FnOnce(T) -> AnyView) -> AnyView {
    match found {
        Ok(found) => view(found),
        Err(error) => view! { <Alert>{error.message}</Alert> }.into_any(),
    }
}

/// The shape of a list while it is loaded.
pub fn loading() -> AnyView {
    view! {
        <div aria-busy="true" class="flex flex-col gap-3">
            <span class="sr-only">"Loading"</span>
            {[(); 4].map(|()| view! { <Skeleton class="h-12 w-full"/> })}
        </div>
    }
    .into_any()
}

/// A table that scrolls sideways where the window is narrow.
pub fn table(caption: &'static str, head: AnyView, rows: Vec<AnyView>) -> AnyView {
    view! {
        <div role="region" tabindex="0" aria-label=caption class=format!("relative overflow-x-auto focus-ring {CARD}")>
            <table class="w-full text-left text-sm">
                <caption class="sr-only">{caption}</caption>
                <thead class="border-b border-border text-xs text-muted-foreground">
                    <tr>{head}</tr>
                </thead>
                <tbody class="divide-y divide-border">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The names of a table's columns.
pub fn columns(names: &[&'static str]) -> AnyView {
    let column = |name: &&'static str| view! { <th scope="col" class="px-3 py-2.5 font-medium whitespace-nowrap">{*name}</th> };
    names.iter().map(column).collect_view().into_any()
}

/// The parameter of the page's address; empty where there is none.
pub fn parameter(name: &str) -> String {
    use_query_map()
        .with(|query| query.get(name))
        .unwrap_or_default()
}

/// A page's address with these parameters; empty ones are omitted.
pub fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let query: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", Url::escape(value)))
        .collect();
    match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", query.join("&")),
    }
}

/// The link to the next page, if there is one.
pub fn next_page(address: Option<String>) -> AnyView {
    match address {
        // Loads a new page, as the forms do.
        Some(address) => view! {
            <p class="text-center text-sm"><a href=address rel="external" class=LINK>"Next page"</a></p>
        }
        .into_any(),
        None => ().into_any(),
    }
}

/// A field of a filter.
pub fn field(
    label: &'static str,
    name: &'static str,
    kind: &'static str,
    value: String,
) -> AnyView {
    view! {
        <label class=FIELD_LABEL>
            {label}
            <input type=kind name=name value=value autocomplete="off" class=INPUT/>
        </label>
    }
    .into_any()
}

/// A choice in a filter; each option is a value and its label.
pub fn choice(
    label: &'static str,
    name: &'static str,
    options: Vec<(String, String)>,
    chosen: &str,
) -> AnyView {
    let option = |(value, words): (String, String)| {
        let is_chosen = value == chosen;
        view! { <option value=value selected=is_chosen>{words}</option> }
    };
    let options = options.into_iter().map(option).collect_view();
    view! {
        <label class=FIELD_LABEL>
            {label}
            <select name=name class=format!("{INPUT} cursor-pointer")>{options}</select>
        </label>
    }
    .into_any()
}

/// Words for options that don't change.
pub fn options(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = all.iter();
    all.map(|(value, words)| ((*value).to_owned(), (*words).to_owned()))
        .collect()
}

/// A size such as "12 MB".
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut left = bytes;
    while left >= 10_000 && unit + 1 < UNITS.len() {
        left /= 1000;
        unit += 1;
    }
    format!("{left} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_four_digits() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(9_999), "9999 B");
        assert_eq!(size(10_000), "10 kB");
        assert_eq!(size(4_294_967_296), "4294 MB");
    }
}
