//! The dialog "Allowed tools": what the project's people decided about tools of MCP servers, each
//! with a button to take it back. The decisions themselves are made in the chat.

use leptos::{prelude::*, task::spawn_local};

use super::{
    components::{Alert, Button, ButtonSize, ButtonVariant, Dialog, Skeleton},
    erased::{part, part_when, words},
    pane::{pane, panes},
    team,
};
use crate::{
    api::consents::{forget_tool_consent, list_tool_consents},
    protocol::{ProjectId, ToolConsent},
};

/// Whether the workspace's dialog is open.
#[derive(Clone, Copy)]
pub struct ConsentsOpen(RwSignal<bool>);

impl ConsentsOpen {
    pub fn provide() -> Self {
        let open = Self(RwSignal::new(false));
        provide_context(open);
        open
    }

    /// The workspace's, while a part of it is made: handlers of events don't find it.
    pub fn find() -> Option<Self> {
        use_context()
    }

    pub fn set(self) {
        self.0.set(true);
    }
}

#[component]
pub fn ConsentsDialog(project: ProjectId, open: ConsentsOpen) -> impl IntoView {
    view! {
        <Dialog open=open.0 title="Allowed tools" description="What you decided about tools of MCP servers in this project.">
            {pane("the tools", move || allowed_tools(project))}
        </Dialog>
    }
}

panes! {
    sharing:

    /// The dialog's contents; their code is fetched when it is first opened.
    pub fn allowed_tools(project: ProjectId) {
        let consents = LocalResource::new(move || list_tool_consents(project));
        let trouble = RwSignal::new(None::<String>);
        let forget = move |tool: String| {
            trouble.set(None);
            spawn_local(async move {
                let forgotten = forget_tool_consent(project, tool).await;
                trouble.try_set(forgotten.err().map(|error| error.message));
                consents.refetch();
            });
        };
        let listed = part(move || match consents.get() {
            None => view! { <Skeleton class="h-9 w-full"/> }.into_any(),
            Some(Err(error)) => view! { <Alert>{error.message}</Alert> }.into_any(),
            Some(Ok(consents)) if consents.is_empty() => view! {
                <p class="text-sm leading-6 text-muted-foreground">
                    "Nothing is decided yet. You are asked in the chat when a tool is to be used for the first time."
                </p>
            }
            .into_any(),
            Some(Ok(consents)) => list(consents, forget),
        });
        let complaint = move || trouble.get().unwrap_or_default();
        view! {
            {listed}
            {part_when(
                move || trouble.with(Option::is_some),
                move || view! { <p role="alert" class="mt-3 text-xs text-destructive">{words(complaint)}</p> }.into_any(),
            )}
        }
        .into_any()
    }
}

fn list(
    consents: Vec<ToolConsent>,
    forget: impl Fn(String) + Copy + Send + Sync + 'static,
) -> AnyView {
    let item = |consent: ToolConsent| {
        let key = consent.tool.clone();
        let (tool, is_of_project) = ToolConsent::tool_of(&consent.tool);
        let tool = tool.to_owned();
        let label = format!("Take back the decision about {tool}");
        let origin = is_of_project.then(|| {
            view! {
                <span class="block text-xs text-muted-foreground">
                    "Of this project's .mcp.json, as it was then"
                </span>
            }
        });
        let button = team::can_edit().then(|| {
            view! {
                <Button
                    variant=ButtonVariant::Outline
                    size=ButtonSize::Sm
                    attr:aria-label=label
                    on:click=move |_| forget(key.clone())
                >
                    "Take back"
                </Button>
            }
        });
        view! {
            <li class="flex items-center gap-3 py-2 text-sm">
                <div class="min-w-0 flex-1">
                    <code class="font-mono text-xs wrap-anywhere">{tool}</code>
                    {origin}
                </div>
                <span class="shrink-0 text-xs text-muted-foreground">{consent.decision.label()}</span>
                {button}
            </li>
        }
    };
    view! {
        <ul role="list" aria-label="Allowed tools" class="divide-y divide-border">
            {consents.into_iter().map(item).collect_view()}
        </ul>
    }
    .into_any()
}
