//! Where the user says what comes next.

use leptos::prelude::*;

use crate::{
    api::messages::send_message,
    protocol::{NewPrompt, ProjectId},
    ui::{
        components::{Button, ButtonSize, CARD, Icon, IconName, Spinner},
        prompt_field::{PromptField, PromptNote, PromptTextarea},
    },
};

/// The message shows up in the conversation by the feed; the text stays in the field until the server has it.
#[component]
pub fn Composer(project: ProjectId) -> impl IntoView {
    const ID: &str = "message";
    let field = PromptField::new();
    let send = Action::new(move |prompt: &NewPrompt| {
        let prompt = prompt.clone();
        async move {
            match send_message(project, prompt.clone().into()).await {
                Ok(_) => field.clear(&prompt),
                Err(error) => field.complain(error.message),
            }
        }
    });
    let busy = send.pending();
    let submit = move || {
        if busy.get_untracked() {
            return;
        }
        if let Some(prompt) = field.validated() {
            send.dispatch(prompt);
        }
    };
    view! {
        <form
            class=format!("mx-3 mb-3 flex shrink-0 flex-col gap-1 p-2 focus-within-ring {CARD}")
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
        >
            <div class="max-h-56 overflow-y-auto px-2 pt-1">
                <PromptTextarea field label="Message" id=ID placeholder="Ask for a change…" rows=2 on_enter=submit/>
            </div>
            <div class="flex items-end gap-3">
                <div class="min-w-0 flex-1 px-2 pb-1"><PromptNote field id=ID/></div>
                <Button submit=true size=ButtonSize::Icon disabled=busy attr:aria-label="Send" attr:title="Send (Enter)">
                    {move || {
                        if busy.get() { view! { <Spinner/> }.into_any() } else { view! { <Icon name=IconName::ArrowUp/> }.into_any() }
                    }}
                </Button>
            </div>
        </form>
    }
}
