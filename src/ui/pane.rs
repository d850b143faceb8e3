//! Parts of the page whose code is fetched after the page's, or when they are first shown. One that
//! can't be fetched says so in its own place and offers a retry; the others keep working.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use leptos::{prelude::*, task::spawn_local_scoped_with_cancellation};

use super::{
    browser::{self, Hydrated},
    components::{Alert, Button, ButtonSize, ButtonVariant, Skeleton},
    erased::part,
};

/// Between two attempts to fetch the code of the open page.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// A pane's code could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLoaded;

#[cfg(lazy_parts)]
impl From<leptos::wasm_split::SplitLoaderError> for NotLoaded {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}

/// Defines functions whose code is fetched where the build splits the page's code: `async`, and
/// `Err` if it can't be fetched. With Leptos's `#[lazy]`, a failure would end the whole page.
/// Functions of one part share a file. Code shared by several parts gets a file for each
/// combination of them, so there are only few parts.
macro_rules! panes {
    ($part:ident: $($(#[$doc:meta])* pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        #[cfg(lazy_parts)]
        #[leptos::wasm_split::wasm_split($part, wasm_split_path = ::leptos::wasm_split, fallible)]
        pub fn $name($($argument: $type),*) -> Result<leptos::prelude::AnyView, $crate::ui::pane::NotLoaded> {
            // The browser fetches the part in parallel with the page's own code.
            #[cfg(feature = "ssr")]
            leptos::prefetch_lazy_fn_on_server(stringify!($part));
            Ok($body)
        }

        $(#[$doc])*
        #[cfg(not(lazy_parts))]
        pub async fn $name($($argument: $type),*) -> Result<leptos::prelude::AnyView, $crate::ui::pane::NotLoaded> {
            Ok($body)
        }
    )*};
}
pub(super) use panes;

#[derive(Clone)]
enum Stage {
    Loading,
    Made,
    Failed,
}

/// The space that a missing part takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    /// The space of a pane, with a skeleton while it is fetched.
    Pane,
    /// The space of a small part: none while it is fetched.
    Small,
}

/// A pane with the result of `make`, once that is available. `name` is used in sentences: "the
/// terminal". Rendered in the browser only, after hydration.
pub fn pane<F>(name: &'static str, make: impl Fn() -> F + 'static) -> AnyView
where
    F: Future<Output = Result<AnyView, NotLoaded>> + 'static,
{
    fetched(name, Size::Pane, Box::new(move || Box::pin(make())))
}

/// A small part of the page, which is otherwise like a [`pane`].
pub fn later<F>(name: &'static str, make: impl Fn() -> F + 'static) -> AnyView
where
    F: Future<Output = Result<AnyView, NotLoaded>> + 'static,
{
    fetched(name, Size::Small, Box::new(move || Box::pin(make())))
}

type Making = std::pin::Pin<Box<dyn Future<Output = Result<AnyView, NotLoaded>>>>;

fn fetched(name: &'static str, size: Size, make: Box<dyn Fn() -> Making>) -> AnyView {
    let stage = RwSignal::new(Stage::Loading);
    let made = Arc::new(Mutex::new(None::<AnyView>));
    let attempt = RwSignal::new(0);
    let slot = made.clone();
    Effect::new(move || {
        attempt.track();
        let (making, slot) = (make(), slot.clone());
        spawn_local_scoped_with_cancellation(async move {
            let next = match making.await {
                Ok(view) => {
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
                    Stage::Made
                }
                Err(NotLoaded) => Stage::Failed,
            };
            stage.try_set(next);
        });
    });
    let again = Callback::new(move |()| {
        stage.set(Stage::Loading);
        attempt.update(|attempt| *attempt += 1);
    });
    part(move || match stage.get() {
        Stage::Made => {
            let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
            made.unwrap_or_else(|| ().into_any())
        }
        Stage::Loading if size == Size::Small => ().into_any(),
        Stage::Loading => skeleton(name),
        Stage::Failed => not_loaded(name, size, again),
    })
}

fn skeleton(name: &str) -> AnyView {
    view! {
        <div aria-busy="true" class="flex min-w-0 flex-1 flex-col gap-3 p-4">
            <span class="sr-only">{format!("Loading {name}")}</span>
            <Skeleton class="h-4 w-1/3"/>
            <Skeleton class="h-4 w-1/2"/>
            <Skeleton class="h-4 w-2/5"/>
        </div>
    }
    .into_any()
}

fn not_loaded(name: &str, size: Size, again: Callback<()>) -> AnyView {
    let button = view! {
        <Button
            variant=ButtonVariant::Outline
            size=ButtonSize::Sm
            on:click=move |_| again.run(())
        >
            "Try again"
        </Button>
    };
    let reason = format!("Part of the page could not be fetched: {name}. Check the connection.");
    match size {
        Size::Pane => view! {
            <div class="m-auto max-w-md p-6">
                <Alert>
                    <p>{reason}</p>
                    {button}
                </Alert>
            </div>
        }
        .into_any(),
        Size::Small => view! {
            <div role="alert" class="flex flex-wrap items-center gap-2 p-1.5 text-xs text-muted-foreground">
                <span>{reason}</span>
                {button}
            </div>
        }
        .into_any(),
    }
}

/// A page whose code is fetched on demand. If that fails, a server-rendered page stays as it is and
/// the fetch is retried; on any other, the user can retry.
pub async fn page<F>(make: impl Fn() -> F + 'static) -> AnyView
where
    F: Future<Output = Result<AnyView, NotLoaded>> + 'static,
{
    whole(Box::new(move || Box::pin(make()))).await
}

async fn whole(make: Box<dyn Fn() -> Making>) -> AnyView {
    let hydrated = Hydrated::expect();
    loop {
        match make().await {
            Ok(view) => return view,
            Err(NotLoaded) if !hydrated.get_untracked() => browser::pause(RETRY_DELAY).await,
            // It is retried at once, and then as often as the user wants.
            Err(NotLoaded) => return fetched("the page", Size::Pane, make),
        }
    }
}
