//! `/s/{slug}`: a shared app for anyone with the link, its source if that is allowed, and the
//! button to remix it. The pages work without scripts.

use leptos::prelude::*;
use leptos_meta::Meta;
use leptos_router::{
    LazyRoute,
    hooks::{use_params_map, use_query_map},
    location::Url,
};

use super::{
    browser,
    components::{Alert, Button, ButtonSize, ButtonVariant, Spinner, button_class},
    erased::part,
    home::{HomeLink, SiteHeader},
    link_card::LinkCard,
    live,
    page_title::PageTitle,
    pane::{page, panes},
    preview::{FRAME_PERMISSIONS, SANDBOX},
    theme::ThemeToggle,
    visitor,
};
use crate::{
    api::shares::{RemixShare, open_share, read_share_source},
    protocol::{ApiError, ErrorCode, PreviewState, SharedApp, SharedSource},
};

/// The interval of checks on a running app, in milliseconds: its sandbox is kept as long as
/// somebody asks.
const SHOWN_MS: i64 = 25_000;
/// Refreshes a page without scripts.
const REFRESH: &str = "<meta http-equiv=\"refresh\" content=\"4\">";

/// `/s/{slug}`
pub struct SharedRoute;

impl LazyRoute for SharedRoute {
    fn data() -> Self {
        Self
    }

    async fn view(_this: Self) -> AnyView {
        page(shared_page).await
    }
}

/// `/s/{slug}/source`
pub struct SharedSourceRoute;

impl LazyRoute for SharedSourceRoute {
    fn data() -> Self {
        Self
    }

    async fn view(_this: Self) -> AnyView {
        page(shared_source_page).await
    }
}

panes! {
    sharing:

    /// The shared app; its code is fetched on demand.
    pub fn shared_page() {
        view! { <SharedPage/> }.into_any()
    }

    /// Its source.
    pub fn shared_source_page() {
        view! { <SourcePage/> }.into_any()
    }
}

/// The slug in the address.
fn slug_of_page() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("slug")).unwrap_or_default())
}

#[component]
fn SharedPage() -> impl IntoView {
    let slug = slug_of_page();
    let app = Resource::new_blocking(move || slug.get(), open_share);
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match app.await {
                    Ok(app) => view! { <SharedView slug=slug.get_untracked() app/> }.into_any(),
                    Err(error) => view! { <Refused error/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

/// Why there is no app: it is not shared (any more), or it can't be shown now.
#[component]
fn Refused(error: ApiError) -> impl IntoView {
    let (heading, text) = match error.code {
        ErrorCode::NotFound => (
            "This app is not shared",
            "Its owner may have made it private, or the link has a typo.".to_owned(),
        ),
        ErrorCode::TooMany => ("This app is asleep", error.message),
        _ => ("This app can't be shown right now", error.message),
    };
    view! {
        <PageTitle text=heading/>
        <SiteHeader/>
        <main class="mx-auto flex max-w-xl flex-col items-center px-6 py-24 text-center">
            <h1 class="text-2xl font-semibold tracking-tight">{heading}</h1>
            <p class="mt-3 text-muted-foreground">{text}</p>
            <a href="/" class=format!("mt-8 {}", button_class(ButtonVariant::Default, ButtonSize::Default))>"Build an app of your own"</a>
        </main>
    }
}

/// The description for links to an app.
const DESCRIPTION: &str = "A running app, built with CodeFlow. Open it, or make your own from it.";

#[component]
fn SharedView(slug: String, app: SharedApp) -> impl IntoView {
    let (title, version, has_source) = (app.title.clone(), app.version, app.source);
    let picture = match app.picture {
        true => format!("/s/{slug}/picture"),
        false => "/social.png".to_owned(),
    };
    let (name_of_tab, card_title, address) = (title.clone(), title.clone(), format!("/s/{slug}"));
    let state = RwSignal::new(Ok::<_, ApiError>(app));
    // The time of the next check, in milliseconds since the epoch.
    let due = StoredValue::new(0_i64);
    let name = StoredValue::new(slug.clone());
    let look = Action::new(move |_: &()| async move {
        let app = open_share(name.get_value()).await;
        let wait = match &app {
            Ok(app) => match app.preview {
                PreviewState::Ready { .. } | PreviewState::Failed { .. } => SHOWN_MS,
                _ => 0,
            },
            Err(error) if error.code == ErrorCode::NotFound => i64::MAX / 2,
            Err(error) => error.retry_after.map_or(SHOWN_MS, |seconds| {
                i64::try_from(seconds).map_or(SHOWN_MS, |seconds| seconds * 1000)
            }),
        };
        due.try_set_value(browser::now().saturating_add(wait));
        state.try_set(app);
    });
    let is_due = move || due.try_get_value().is_some_and(|due| browser::now() >= due);
    live::refresh_while(is_due, look);

    // The frame stays while its app recompiles, and as long as its address stays.
    let url = Memo::new(move |before: Option<&Option<String>>| {
        state.with(|state| match state.as_ref().ok().map(|app| &app.preview) {
            Some(PreviewState::Ready { url, .. }) => Some(url.clone()),
            Some(PreviewState::Compiling { .. }) => before.cloned().flatten(),
            _ => None,
        })
    });
    view! {
        <PageTitle text=name_of_tab/>
        <Meta name="robots" content="noindex"/>
        <LinkCard title=card_title description=DESCRIPTION path=Some(address) picture/>
        <div class="flex h-dvh flex-col overflow-hidden">
            <header class="flex min-h-12 shrink-0 flex-wrap items-center gap-x-2.5 gap-y-1 border-b border-border px-3 py-1.5 md:px-4">
                <HomeLink/>
                <span aria-hidden="true" class="hidden text-border sm:inline">"/"</span>
                <h1 class="min-w-0 flex-1 truncate text-sm font-medium">{title}</h1>
                <span class="text-xs text-muted-foreground max-sm:hidden">{format!("v{version}")}</span>
                {has_source
                    .then(|| {
                        let href = format!("/s/{slug}/source");
                        view! { <a href=href class=button_class(ButtonVariant::Ghost, ButtonSize::Sm)>"Source"</a> }
                    })}
                <Remix slug=slug.clone()/>
                <ThemeToggle/>
            </header>
            <main class="relative flex min-h-0 flex-1 items-center justify-center overflow-hidden bg-muted/50">
                {part(move || match url.get() {
                    Some(url) => view! {
                        <iframe title="Preview" src=url sandbox=SANDBOX allow=FRAME_PERMISSIONS class="size-full border-0 bg-white"></iframe>
                    }
                    .into_any(),
                    None => ().into_any(),
                })}
                {part(move || match (url.get(), state.get()) {
                    (Some(_), Ok(_)) => ().into_any(),
                    (_, state) => view! { <Waiting state/> }.into_any(),
                })}
            </main>
        </div>
    }
}

/// The message in place of the app.
#[component]
fn Waiting(state: Result<SharedApp, ApiError>) -> impl IntoView {
    let (words, is_busy) = match state {
        Err(error) if error.code == ErrorCode::NotFound => {
            ("Its owner made this app private.".to_owned(), false)
        }
        Err(error) => (error.message, false),
        Ok(app) => match app.preview {
            PreviewState::Failed { reason, .. } => (reason, false),
            PreviewState::Compiling { .. } | PreviewState::Ready { .. } => {
                ("Compiling the app…".to_owned(), true)
            }
            _ => ("Starting the app…".to_owned(), true),
        },
    };
    view! {
        <div class="absolute inset-0 grid place-items-center overflow-auto bg-background p-6">
            <p role="status" class="flex max-w-md items-center gap-2 text-center text-sm whitespace-pre-line text-muted-foreground">
                {is_busy.then(|| view! { <Spinner/> })}
                {words}
            </p>
            {is_busy.then(|| view! { <noscript inner_html=REFRESH></noscript> })}
        </div>
    }
}

/// Remixes the app; users who are not signed in return here after signing in.
#[component]
fn Remix(slug: String) -> impl IntoView {
    let refusal = ServerAction::<RemixShare>::new().value().get_untracked();
    let refusal = refusal.and_then(Result::err);
    let (method, action, field, value) = match visitor::is_in() {
        true => ("post", "/api/shares/remix", "slug", slug),
        false => ("get", "/sign-in", "to", format!("/s/{slug}")),
    };
    view! {
        {refusal.map(|error| view! { <p role="alert" class="text-xs text-destructive">{error.message}</p> })}
        <form method=method action=action>
            <input type="hidden" name=field value=value/>
            <Button size=ButtonSize::Sm submit=true>"Remix"</Button>
        </form>
    }
}

#[component]
fn SourcePage() -> impl IntoView {
    let slug = slug_of_page();
    let query = use_query_map();
    let path = Memo::new(move |_| query.with(|query| query.get("path")));
    let source = Resource::new_blocking(
        move || (slug.get(), path.get()),
        |(slug, path)| read_share_source(slug, path),
    );
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match source.await {
                    Ok(source) => view! { <SourceView slug=slug.get_untracked() source/> }.into_any(),
                    Err(error) => view! { <Refused error/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn SourceView(slug: String, source: SharedSource) -> impl IntoView {
    let SharedSource { title, paths, file } = source;
    let shown = file.path.clone();
    let base = format!("/s/{slug}/source?path=");
    let links = paths.into_iter().map(|path| {
        let current = (path == shown).then_some("page");
        let href = format!("{base}{}", Url::escape(&path));
        view! {
            <li>
                <a href=href aria-current=current class="block truncate rounded-md px-2 py-1 font-mono text-xs text-muted-foreground hover:bg-accent aria-[current]:bg-accent aria-[current]:text-foreground focus-ring">
                    {path}
                </a>
            </li>
        }
    });
    let lines: String = file
        .lines
        .iter()
        .map(|line| format!("<span class=\"line\">{line}\n</span>"))
        .collect();
    let text = match file.notice {
        Some(notice) => view! { <Alert>{notice}</Alert> }.into_any(),
        None => view! {
            <pre class="code" tabindex="0" aria-label=format!("The text of {}", file.path)><code inner_html=lines></code></pre>
        }
        .into_any(),
    };
    view! {
        <PageTitle text=format!("Source of {title}")/>
        <Meta name="robots" content="noindex"/>
        <div class="flex h-dvh flex-col overflow-hidden">
            <header class="flex min-h-12 shrink-0 flex-wrap items-center gap-x-2.5 gap-y-1 border-b border-border px-3 py-1.5 md:px-4">
                <HomeLink/>
                <span aria-hidden="true" class="hidden text-border sm:inline">"/"</span>
                <h1 class="min-w-0 flex-1 truncate text-sm font-medium">{title}</h1>
                <a href=format!("/s/{slug}") class=button_class(ButtonVariant::Ghost, ButtonSize::Sm)>"App"</a>
                <Remix slug=slug.clone()/>
                <ThemeToggle/>
            </header>
            <main class="flex min-h-0 flex-1 max-md:flex-col">
                <nav aria-label="Files" class="shrink-0 overflow-auto border-border bg-muted/30 p-2 max-md:max-h-[35%] max-md:border-b md:w-64 md:border-r">
                    <ul role="list">{links.collect_view()}</ul>
                </nav>
                <div class="flex min-h-0 min-w-0 flex-1 overflow-auto bg-card">{text}</div>
            </main>
        </div>
    }
}
