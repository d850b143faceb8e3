//! The field for the next message, and the button that stops the run.

use leptos::prelude::*;

use crate::{
    api::{
        messages::{edit_message, send_message},
        runs::cancel_run,
    },
    protocol::{Mode, ModelNotice, OfferedModel, ProjectId, RunId},
    ui::{
        browser,
        commands::Commands,
        components::{Button, ButtonSize, ButtonVariant, CARD, Icon, IconName, Spinner},
        conversation::{Conversation, EditNotice, Editing},
        credits::{self, CreditsNote},
        mode::{self, ModePicker},
        model_picker::{self, ChosenModel, ModelPicker},
        order::Order,
        preview::{Picked, PickedChip},
        prompt_field::{
            Attached, ImageSlot, ImproveButton, LibraryButton, MESSAGE_ID, Prompt, PromptField,
            PromptNote, PromptTextarea,
        },
    },
};

/// The message reaches the conversation through the feed; the text stays in the field until the
/// server has it.
#[component]
pub fn Composer(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    about: ModelNotice,
) -> impl IntoView {
    let offered = about.offered.clone();
    let field = PromptField::kept(draft_of(project));
    let picked = Picked::expect();
    let mode = RwSignal::new(Mode::Build.as_str());
    // The last message's model, so that a project keeps its model.
    let model = conversation.with_untracked(|all| all.last_prompt()?.model.clone());
    let model = ChosenModel::new(model_picker::value_of(model.as_ref(), &offered));
    let own_key = model_picker::own_key(&about, model);
    let editing = Editing::expect();
    // Whether to stop the running run for an edited message.
    let stops = StoredValue::new(false);
    edit_in(field, mode, (model, offered.clone()), editing);
    Effect::new(move |before: Option<()>| {
        let chosen = mode.get();
        if before.is_none() {
            if let Some(kept) = mode::kept(project) {
                mode.set(kept);
            }
        } else if editing.message.with_untracked(Option::is_none) {
            // An edited message keeps its own.
            mode::keep(project, chosen);
        }
    });
    let order = Order::new();
    let send = Action::new(move |prompt: &Prompt| {
        let prompt = prompt.clone();
        let edited = editing.message.get_untracked().map(|message| message.id);
        let stop = stops.get_value();
        let mode = Some(mode.get_untracked().to_owned());
        let model = Some(model.get_untracked());
        async move {
            let (text, image) = prompt.clone();
            let text = picked.with(text.into());
            let sent = match edited {
                Some(message) => edit_message(message, text, image, stop, mode, model).await,
                None => {
                    let content = format!("{text} {image:?} {mode:?} {model:?}");
                    let sent = send_message(project, text, image, mode, None, model);
                    order.send(content, sent).await
                }
            };
            match sent {
                Ok(_) => {
                    picked.set(None);
                    match edited {
                        Some(_) => editing.finish(edited),
                        None if field.is_gone() => browser::forget_draft(&draft_of(project)),
                        None => field.clear(&prompt),
                    }
                }
                Err(error) => field.complain(error),
            }
        }
    });
    let busy = send.pending();
    let submit_and = move |stop: bool| {
        if busy.get_untracked() {
            return;
        }
        if let Some(prompt) = field.validated() {
            stops.set_value(stop);
            send.dispatch(prompt);
        }
    };
    let submit = move || submit_and(false);
    let stop_and_send = Callback::new(move |()| submit_and(true));
    // The running run, else the first queued one; those after it continue.
    let unfinished = Memo::new(move |_| {
        conversation.with(|all| {
            all.current_run()
                .filter(|run| !run.state().is_final())
                .map(|run| run.id)
        })
    });
    // A run costs credits, and may refund them when it ends.
    Effect::new(move || {
        unfinished.track();
        credits::count();
    });
    let stop = Action::new(move |run: &RunId| {
        let run = *run;
        async move {
            if let Err(error) = cancel_run(run).await {
                field.complain(error);
            }
        }
    });
    let stopping = stop.pending();
    let stop_it = move || {
        if stopping.get_untracked() {
            return;
        }
        if let Some(run) = unfinished.get_untracked() {
            stop.dispatch(run);
            // The button disappears when the run ends, so the focus moves on.
            field.focus();
        }
    };
    let commands = Commands::expect();
    Effect::new(move || {
        if unfinished.with(Option::is_some) {
            commands.add("Stop", IconName::Square, stop_it);
        }
    });
    view! {
        <form
            class=format!("relative mx-3 mb-3 flex shrink-0 flex-col gap-1 p-2 focus-within-ring {CARD}")
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
            on:keydown=move |key| {
                if key.key() == "Escape" && editing.message.with_untracked(Option::is_some) {
                    editing.message.set(None);
                }
            }
        >
            <EditNotice conversation stop_and_send/>
            <PickedChip/>
            <div class="max-h-56 overflow-y-auto px-2 pt-1">
                <PromptTextarea field label="Message" id=MESSAGE_ID placeholder="Ask for a change…" rows=2 on_enter=submit/>
            </div>
            <div class="px-2 has-[>:empty]:hidden"><PromptNote field id=MESSAGE_ID/></div>
            <div class="flex flex-wrap items-center gap-2">
                <ImageSlot field/>
                <LibraryButton field/>
                {(!about.demo).then(|| view! { <ImproveButton field/> })}
                <ModePicker mode/>
                <ModelPicker offered chosen=model/>
                <span class="flex-1"></span>
                <Show when=move || unfinished.get().is_some()>
                    <Button
                        variant=ButtonVariant::Outline
                        size=ButtonSize::Icon
                        disabled=stopping
                        attr:aria-label="Stop"
                        attr:title="Stop this run and keep what it wrote"
                        on:click=move |_| stop_it()
                    >
                        {move || {
                            if stopping.get() { view! { <Spinner/> }.into_any() } else { view! { <Icon name=IconName::Square/> }.into_any() }
                        }}
                    </Button>
                </Show>
                <Button submit=true size=ButtonSize::Icon disabled=busy attr:aria-label="Send" attr:title="Send (Enter)">
                    {move || {
                        if busy.get() { view! { <Spinner/> }.into_any() } else { view! { <Icon name=IconName::ArrowUp/> }.into_any() }
                    }}
                </Button>
            </div>
            <CreditsNote own_key/>
        </form>
    }
}

/// The browser's storage key for an unsent message.
fn draft_of(project: ProjectId) -> String {
    format!("{MESSAGE_ID}-{project}")
}

/// Puts an edited message into the field; its previous content comes back afterwards.
fn edit_in(
    field: PromptField,
    mode: RwSignal<&'static str>,
    (model, offered): (ChosenModel, Vec<OfferedModel>),
    editing: Editing,
) {
    let held = StoredValue::new(None::<((String, Option<Attached>), &'static str, String)>);
    Effect::new(move || match editing.message.get() {
        Some(message) => {
            let before = (field.lend(), mode.get_untracked(), model.get_untracked());
            held.update_value(|held| {
                held.get_or_insert(before);
            });
            let image = message.image.clone().map(Attached::of);
            field.put((message.content.clone(), image));
            mode.set(message.mode.as_str());
            model.set(model_picker::value_of(message.model.as_ref(), &offered));
            field.focus();
        }
        None => {
            if let Some(before) = held.try_update_value(Option::take).flatten() {
                field.give_back(before.0);
                mode.set(before.1);
                model.set(before.2);
            }
        }
    });
}
