//! The form that starts a project: a plain form before hydration, checked and sent by script after.

use leptos::prelude::*;

use crate::{
    api::projects::{CreateProject, create_project},
    protocol::{ErrorCode, Mode, ModelChoice, ModelNotice},
    ui::{
        browser::{self, Hydrated},
        commands::Commands,
        components::{Button, CARD, Icon, IconName, Spinner},
        credits::CreditsNote,
        mode::{self, ModePicker},
        model_picker::{self, ChosenModel, ModelPicker},
        order::Order,
        prompt_field::{
            ImageSlot, ImproveButton, LIBRARY_ID, LibraryButton, Prompt, PromptField, PromptNote,
            PromptTextarea,
        },
        visitor,
    },
};

/// Prompts to start with when the server suggests none.
const SUGGESTIONS: [&str; 3] = [
    "Build me a todo app with dark mode",
    "A landing page with a hero and pricing",
    "A kanban board with drag and drop",
];

/// `about`: the available models; the demo's prompts serve as suggestions.
#[component]
pub fn NewProject(about: Option<ModelNotice>) -> impl IntoView {
    let can_improve = about.as_ref().is_some_and(|about| !about.demo);
    let model = ChosenModel::new(ModelChoice::AUTO.to_owned());
    let own_key = match &about {
        Some(about) => model_picker::own_key(about, model),
        None => Signal::stored(false),
    };
    let (suggestions, offered) = about
        .map(|about| (about.demo_prompts, about.offered))
        .unwrap_or_default();
    const ID: &str = "new-project";
    const MODE_ID: &str = "new-project-mode";
    let hydrated = Hydrated::expect();
    let field = PromptField::kept(ID);
    let mode = RwSignal::new(Mode::Build.as_str());
    // Stored with the text, and as long as it.
    Effect::new(move |before: Option<()>| {
        let chosen = mode.get();
        if before.is_some() {
            browser::keep_draft(MODE_ID, chosen);
        } else if browser::draft(ID).is_some()
            && let Some(Ok(kept)) = browser::draft(MODE_ID).map(|kept| kept.parse::<Mode>())
        {
            mode.set(kept.as_str());
        }
    });
    // A form sent before hydration returns with its refusal in the address.
    if let Some(Err(error)) = ServerAction::<CreateProject>::new().value().get_untracked() {
        field.complain(error);
    }
    let order = Order::new();
    let (commands, is_in) = (Commands::expect(), visitor::is_in());
    Effect::new(move || {
        if is_in {
            commands.add("Saved prompts", IconName::Bookmark, || {
                browser::press(LIBRARY_ID)
            });
        }
    });
    let create = Action::new(move |prompt: &Prompt| {
        let (prompt, image) = prompt.clone();
        let (mode, model) = (mode.get_untracked(), Some(model.get_untracked()));
        async move {
            let content = format!("{} {image:?} {mode} {model:?}", prompt.as_str());
            let created = create_project(prompt.into(), image, Some(mode.to_owned()), model);
            let created = order.send(content, created).await;
            match &created {
                Ok(project) => {
                    mode::keep(*project, mode);
                    browser::forget_draft(ID);
                }
                // The input is stored in the browser meanwhile.
                Err(error) if error.code == ErrorCode::Unauthorized => {
                    let _ = location().set_href("/sign-in?to=/");
                }
                Err(error) => field.complain(error.clone()),
            }
            created.is_ok()
        }
    });
    // Success opens another page; until then, nothing more can be sent.
    let busy = Memo::new(move |_| create.pending().get() || create.value().get() == Some(true));
    let submit = move || {
        if busy.get_untracked() {
            return;
        }
        if let Some(prompt) = field.validated() {
            create.dispatch(prompt);
        }
    };
    let suggestions = if suggestions.is_empty() {
        SUGGESTIONS.map(str::to_owned).to_vec()
    } else {
        suggestions
    };
    view! {
        <form
            method="post"
            action="/api/projects/create"
            novalidate=move || hydrated.get()
            class=format!("relative flex flex-col gap-2 p-3 shadow-lg shadow-black/5 focus-within-ring {CARD}")
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
        >
            <div class="max-h-[50dvh] overflow-y-auto px-2 pt-2">
                <PromptTextarea
                    field
                    label="Describe the app you want to build"
                    id=ID
                    placeholder="A todo app with dark mode, filters and a progress bar…"
                    rows=3
                    required=true
                    on_enter=submit
                />
            </div>
            <div class="px-2 has-[>:empty]:hidden"><PromptNote field id=ID/></div>
            <div class="flex flex-wrap items-center gap-2">
                <ImageSlot field/>
                <LibraryButton field/>
                {can_improve.then(|| view! { <ImproveButton field/> })}
                <ModePicker mode/>
                <ModelPicker offered chosen=model/>
                <div class="ml-auto">
                    <Button submit=true disabled=busy>
                        {move || {
                            if busy.get() {
                                view! { <Spinner/> }.into_any()
                            } else {
                                view! { <Icon name=IconName::Sparkles/> }.into_any()
                            }
                        }}
                        "Start Creating"
                    </Button>
                </div>
            </div>
            <CreditsNote own_key/>
        </form>
        <ul class="flex flex-wrap justify-center gap-2" aria-label="Suggestions">
            {suggestions
                .into_iter()
                .map(|suggestion| {
                    let text = suggestion.clone();
                    let fill = move |_| {
                        field.fill(&text);
                        field.focus();
                    };
                    view! {
                        <li>
                            <button
                                type="button"
                                class="cursor-pointer rounded-full border border-border bg-card/70 px-3 py-1.5 text-left text-xs text-muted-foreground transition-colors hover:border-foreground/25 hover:text-foreground focus-ring"
                                on:click=fill
                            >
                                {suggestion}
                            </button>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
