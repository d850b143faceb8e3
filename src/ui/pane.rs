//! Panes: parts of the page whose code is fetched when they are first shown. One that can't be
//! fetched says so in its own place, with a way to try again; the others live on.

use std::sync::{Arc, Mutex, PoisonError};

use leptos::{prelude::*, task::spawn_local_scoped_with_cancellation};

use super::{
    components::{Alert, Button, ButtonSize, ButtonVariant, Skeleton},
    erased::part,
};

/// A pane's code could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLoaded;

#[cfg(lazy_parts)]
impl From<leptos::wasm_split::SplitLoaderError> for NotLoaded {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}

/// Makes functions whose code is a file of its own where the build splits the page's: `async`, and
/// `Err` when it can't be fetched. Unlike Leptos's `#[lazy]`, whose failure ends the whole page.
macro_rules! panes {
    ($($(#[$doc:meta])* pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        #[cfg(lazy_parts)]
        #[leptos::wasm_split::wasm_split($name, wasm_split_path = ::leptos::wasm_split, fallible)]
        pub fn $name($($argument: $type),*) -> Result<leptos::prelude::AnyView, $crate::ui::pane::NotLoaded> {
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

/// A pane with what `make` returns, once that is there. `name` stands in sentences: "the terminal".
/// Rendered in the browser only, after hydration.
pub fn pane<F>(name: &'static str, make: impl Fn() -> F + 'static) -> AnyView
where
    F: Future<Output = Result<AnyView, NotLoaded>> + 'static,
{
    erased(name, Box::new(move || Box::pin(make())))
}

type Making = std::pin::Pin<Box<dyn Future<Output = Result<AnyView, NotLoaded>>>>;

fn erased(name: &'static str, make: Box<dyn Fn() -> Making>) -> AnyView {
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
    let again = move |_| {
        stage.set(Stage::Loading);
        attempt.update(|attempt| *attempt += 1);
    };
    part(move || {
        match stage.get() {
        Stage::Made => {
            let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
            made.unwrap_or_else(|| ().into_any())
        }
        Stage::Loading => view! {
            <div aria-busy="true" class="flex min-w-0 flex-1 flex-col gap-3 p-4">
                <span class="sr-only">{format!("Loading {name}")}</span>
                <Skeleton class="h-4 w-1/3"/>
                <Skeleton class="h-4 w-1/2"/>
                <Skeleton class="h-4 w-2/5"/>
            </div>
        }
        .into_any(),
        Stage::Failed => view! {
            <div class="m-auto max-w-md p-6">
                <Alert>
                    <p>{format!("Part of the page could not be fetched: {name}. Check the connection.")}</p>
                    <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=again>"Try again"</Button>
                </Alert>
            </div>
        }
        .into_any(),
    }
    })
}
