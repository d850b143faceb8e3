//! The Terminal tab: a container for `terminal/main.js`, which is fetched when the tab is first
//! opened and does the rest. It has its own socket, `/ws/projects/{id}/terminal`.

use leptos::{
    html,
    prelude::*,
    task::spawn_local,
    wasm_bindgen::{self, JsValue, prelude::wasm_bindgen},
    web_sys::HtmlElement,
};

use super::{
    components::{Button, ButtonSize, ButtonVariant, Skeleton},
    erased::part,
    pane::panes,
    script,
};
use crate::protocol::ProjectId;

/// The path of esbuild's output, and the script's global object.
const SCRIPT: &str = "/terminal/terminal.js";
const GLOBAL: &str = "codeflowTerminal";

mod js {
    use super::{HtmlElement, JsValue, wasm_bindgen};

    #[wasm_bindgen(wasm_bindgen = leptos::wasm_bindgen)]
    extern "C" {
        pub type Terminals;
        #[wasm_bindgen(js_namespace = codeflowTerminal, catch)]
        pub fn mount(host: &HtmlElement, project: &str) -> Result<Terminals, JsValue>;
        #[wasm_bindgen(method)]
        pub fn destroy(this: &Terminals);
    }
}

panes! {
    terminal:

    /// The Terminal tab; its code is fetched when somebody first looks.
    pub fn terminal_pane(project: ProjectId) {
        view! { <TerminalPane project/> }.into_any()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Loading,
    Ready,
    Failed,
}

#[component]
fn TerminalPane(project: ProjectId) -> impl IntoView {
    let host = NodeRef::<html::Div>::new();
    let readiness = RwSignal::new(Readiness::Loading);
    let terminals = StoredValue::new_local(None::<js::Terminals>);
    let load = move || {
        readiness.set(Readiness::Loading);
        spawn_local(async move {
            let is_there = script::load(SCRIPT, GLOBAL).await;
            let Some(host) = host.try_get_untracked().flatten() else {
                return;
            };
            let mounted = match is_there {
                true => js::mount(&host, &project.to_string()).ok(),
                false => None,
            };
            readiness.set(match mounted {
                Some(_) => Readiness::Ready,
                None => Readiness::Failed,
            });
            terminals.set_value(mounted);
        });
    };
    Effect::new(move |begun: Option<bool>| {
        if begun == Some(true) {
            return true;
        }
        let is_there = host.with(Option::is_some);
        if is_there {
            load();
        }
        is_there
    });
    on_cleanup(move || {
        if let Some(terminals) = terminals.try_update_value(Option::take).flatten() {
            terminals.destroy();
        }
    });
    view! {
        {part(move || match readiness.get() {
            Readiness::Ready => ().into_any(),
            Readiness::Loading => view! {
                <div class="flex flex-1 flex-col gap-3 bg-card p-4" aria-busy="true">
                    <span class="sr-only">"Loading the terminal"</span>
                    <Skeleton class="h-4 w-1/3"/>
                    <Skeleton class="h-4 w-1/2"/>
                </div>
            }
            .into_any(),
            Readiness::Failed => view! {
                <div class="m-auto flex flex-col items-center gap-3 p-6 text-sm text-muted-foreground">
                    <p role="alert">"The terminal could not be loaded. Check the connection."</p>
                    <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| load()>"Try again"</Button>
                </div>
            }
            .into_any(),
        })}
        <div
            node_ref=host
            role="region"
            aria-label="Terminal"
            class="terminal-pane"
            hidden=move || readiness.get() != Readiness::Ready
        ></div>
    }
}
