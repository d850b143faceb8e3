//! The home page: describe a new app, continue a project, or start from one of the showcase.

mod new_project;
mod projects;
mod showcase;

use leptos::prelude::*;

use super::{
    commands::CommandsButton,
    credits::CreditsBadge,
    model::{DemoNotice, DemoNoticeState, ModelBadge},
    page_title::PageTitle,
    theme::ThemeToggle,
    visitor::{self, AccountMenu},
};
use crate::api::projects::{get_model, list_projects, list_showcase};

use new_project::NewProject;
use projects::ProjectList;
use showcase::Showcase;

/// CodeFlow's features, and the page's footer: plain HTML, so that it is not compiled into the
/// page's code.
const FEATURES: &str = include_str!("home/features.html");
const FOOTER: &str = include_str!("home/footer.html");
/// The footer's link for administrators.
const ALL_RUNS: &str =
    r#"<a class="rounded hover:text-foreground focus-ring" href="/admin/runs">All runs</a>"#;

#[component]
pub fn HomePage() -> impl IntoView {
    let model = Resource::new_blocking(|| (), |()| get_model());
    let is_in = visitor::is_in();
    let projects = Resource::new_blocking(
        || (),
        move |()| async move {
            match is_in {
                true => Some(list_projects().await),
                // Who is not signed in has none.
                false => None,
            }
        },
    );
    let showcase = Resource::new_blocking(|| (), |()| list_showcase());
    let notice = DemoNoticeState::new();
    let is_administrator = visitor::is_administrator();
    let all_runs = if is_administrator { ALL_RUNS } else { "" };
    let footer = FOOTER.replace("{administration}", all_runs);
    view! {
        <PageTitle text=""/>
        <div class="hero-glow min-h-dvh">
            <SiteHeader>
                {is_administrator
                    .then(|| view! { <a href="/admin/runs" class="rounded-md px-2 py-1 text-sm text-muted-foreground transition-colors hover:text-foreground focus-ring">"Runs"</a> })}
                <Suspense>{move || Suspend::new(async move { model.await.ok().map(|model| view! { <ModelBadge model notice/> }) })}</Suspense>
            </SiteHeader>
            <main class="mx-auto max-w-6xl px-5 pt-14 pb-20 sm:pt-20">
                <div class="mx-auto max-w-3xl">
                    <h1 class="text-center text-4xl font-semibold tracking-tight text-balance sm:text-5xl">"What it calls done, runs."</h1>
                    <p class="mx-auto mt-4 max-w-xl text-center text-base leading-7 text-pretty text-muted-foreground">
                        "Describe a web app. CodeFlow writes it in a sandbox, runs it, checks it, and shows it to you live. Keep talking until it is right."
                    </p>
                    <div class="mt-9 flex flex-col gap-4">
                        <Suspense>
                            {move || Suspend::new(async move {
                                let model = model.await.ok();
                                view! {
                                    <NewProject about=model.clone()/>
                                    {model.map(|model| view! { <DemoNotice model notice/> })}
                                }
                            })}
                        </Suspense>
                    </div>
                </div>
                <Suspense>{move || Suspend::new(async move { projects.await.map(|projects| view! { <ProjectList projects/> }) })}</Suspense>
                <Suspense>{move || Suspend::new(async move { showcase.await.ok().map(|apps| view! { <Showcase apps/> }) })}</Suspense>
                <section aria-labelledby="features" class="mt-20" inner_html=FEATURES></section>
            </main>
            <footer class="border-t border-border" inner_html=footer></footer>
        </div>
    }
}

/// The header of all pages except the workspace: the name, and `children`.
#[component]
pub fn SiteHeader(#[prop(optional)] children: Option<Children>) -> impl IntoView {
    view! {
        <header class="sticky top-0 z-header border-b border-transparent bg-background/80 backdrop-blur-md">
            <div class="mx-auto flex h-14 max-w-6xl items-center gap-1.5 px-5 max-[26rem]:px-3">
                <HomeLink/>
                <div class="ml-auto flex items-center gap-1.5 max-[26rem]:gap-1">
                    {children.map(|children| children())}
                    <CreditsBadge/>
                    <CommandsButton/>
                    <ThemeToggle/>
                    <AccountMenu/>
                </div>
            </div>
        </header>
    }
}

/// The name, leading home.
#[component]
pub fn HomeLink() -> impl IntoView {
    view! {
        <a href="/" class="inline-flex items-center gap-2 rounded-md text-sm font-semibold tracking-tight focus-ring">
            <svg aria-hidden="true" viewBox="0 0 24 24" class="size-6" fill="none">
                <rect width="24" height="24" rx="7" class="fill-foreground"></rect>
                <path
                    d="M6.5 15.5c3.2 0 3-7 6-7s1.7 7 5 7"
                    class="stroke-background"
                    stroke-width="2.2"
                    stroke-linecap="round"
                ></path>
                <circle cx="17.5" cy="8.5" r="1.6" class="fill-brand-on-ink"></circle>
            </svg>
            // A narrow phone has room for the drawing alone.
            <span class="max-[26rem]:sr-only">"CodeFlow"</span>
        </a>
    }
}
