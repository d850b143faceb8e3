//! A dialog that compares two texts: the edited one with the newest version, or with a concurrent
//! change.

use leptos::{
    ev::{self, MouseEvent},
    html,
    prelude::*,
    task::spawn_local,
};

use super::{
    code_mirror::{self, Comparison, Sides},
    kept_text::Merge,
    open_files::{OpenFile, SaveState, fingerprint},
    session::Session,
};
use crate::{
    api::files::read_saved_file,
    protocol::{ErrorCode, FileView},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Dialog, DialogSize},
    },
};

/// Shows the two sides; `comparison` gets a handle to read an edited side from.
#[component]
pub fn Compared(
    sides: Signal<Sides>,
    unified: Signal<bool>,
    merges: bool,
    comparison: StoredValue<Option<Comparison>, LocalStorage>,
    /// Gets the edited side on every change.
    #[prop(optional)]
    on_change: Option<Callback<String>>,
) -> impl IntoView {
    let host = NodeRef::<html::Div>::new();
    let failed = RwSignal::new(false);
    let drop_last = move || {
        if let Some(last) = comparison.try_update_value(Option::take).flatten() {
            last.destroy();
        }
    };
    Effect::new(move || {
        let (Some(host), sides, unified) = (host.get(), sides.get(), unified.get()) else {
            return;
        };
        drop_last();
        spawn_local(async move {
            let made = code_mirror::compare(&host, &sides, unified, merges).await;
            failed.try_set(made.is_none());
            comparison.try_set_value(made);
        });
    });
    on_cleanup(drop_last);
    let changed = move |_| {
        let text = comparison.try_with_value(|made| made.as_ref().map(Comparison::text));
        if let (Some(on_change), Some(Some(text))) = (on_change, text) {
            on_change.run(text);
        }
    };
    view! {
        <p role="alert" class="text-sm text-destructive empty:hidden">
            {move || failed.get().then_some("The comparison could not be loaded. Close this and try again.")}
        </p>
        <div node_ref=host on:change=changed class="comparison min-h-0 flex-1 overflow-auto rounded-lg border border-border"></div>
    }
}

/// Whether two sides don't fit beside each other.
fn is_narrow() -> bool {
    browser::matches_media("(max-width: 900px)")
}

/// Shows two texts as one where they don't fit beside each other, and again whenever the window has
/// become narrow, or no longer is. In the browser only.
pub fn follow_width(unified: RwSignal<bool>) {
    let narrow = StoredValue::new(is_narrow());
    unified.set(is_narrow());
    let resized = window_event_listener(ev::resize, move |_| {
        let now = is_narrow();
        if narrow.try_get_value().is_some_and(|before| before != now) {
            narrow.set_value(now);
            unified.set(now);
        }
    });
    on_cleanup(move || resized.remove());
}

/// Chooses between two texts beside each other and one.
#[component]
pub fn LayoutButtons(unified: RwSignal<bool>) -> impl IntoView {
    view! {
        <div role="group" aria-label="Layout" class="flex gap-1">
            {[(false, "Side by side"), (true, "Unified")].map(|(choice, label)| {
                view! {
                    <Button
                        variant=ButtonVariant::Ghost
                        size=ButtonSize::Sm
                        attr:aria-pressed=move || (unified.get() == choice).to_string()
                        on:click=move |_| unified.set(choice)
                    >
                        {label}
                    </Button>
                }
            })}
        </div>
    }
}

fn path_of(file: Option<OpenFile>) -> String {
    file.map(|file| file.path).unwrap_or_default()
}

/// The shown file beside the newest version's.
#[component]
pub fn CompareDialog(session: Session, open: RwSignal<bool>) -> impl IntoView {
    let title = Signal::derive(move || format!("Changes of {}", path_of(session.shown())));
    let content = move || {
        let path = session.current.get_untracked().unwrap_or_default();
        let text = session.text(&path).unwrap_or_default();
        let unified = RwSignal::new(false);
        follow_width(unified);
        let comparison = StoredValue::new_local(None);
        let saved = LocalResource::new({
            let path = path.clone();
            move || read_saved_file(session.project, path.clone())
        });
        let sides = move |before: String| Sides {
            path: path.clone(),
            texts: [before, text.clone()],
            names: ["The newest version", "The text in the editor"].map(str::to_owned),
        };
        let body = move || match saved.get() {
            None => {
                view! { <p class="text-sm text-muted-foreground">"Reading the newest version…"</p> }
                    .into_any()
            }
            Some(Err(error)) if error.code != ErrorCode::NotFound => {
                view! { <p role="alert" class="text-sm text-destructive">{error.message}</p> }
                    .into_any()
            }
            // A file that is in no version is entirely new.
            Some(saved) => {
                let before = saved.ok().and_then(|view| view.text).unwrap_or_default();
                let sides = sides(before);
                view! { <Compared sides=Signal::stored(sides) unified=unified.into() merges=false comparison/> }.into_any()
            }
        };
        view! {
            <div class="flex h-[min(70dvh,48rem)] flex-col gap-3">
                <LayoutButtons unified/>
                {body}
            </div>
        }
        .into_any()
    };
    view! {
        <Dialog open title size=DialogSize::Full description="The newest version on one side, the text in the editor on the other.">
            {content()}
        </Dialog>
    }
}

/// Says that a merge was begun before, and switches between it and the own text.
#[component]
fn MergeOffer(
    /// Whether the merge is shown.
    resumed: RwSignal<bool>,
    /// Whether it began from the two texts as they are.
    is_of_these: bool,
) -> impl IntoView {
    let words = move || match (resumed.get(), is_of_these) {
        (true, true) => {
            "This is the merge that you began. It is kept until the conflict is resolved."
        }
        (true, false) => {
            "This is the merge that you began before one of the two texts changed: what was \
             written since is missing in it."
        }
        (false, true) => "This is your text, without the merge that you began.",
        (false, false) => {
            "You began a merge before one of the two texts changed. It is still kept."
        }
    };
    let label = move || match resumed.get() {
        true => "Start again from my text",
        false => "Continue my merge",
    };
    view! {
        <div class="flex flex-wrap items-center gap-x-3 gap-y-1 rounded-lg border border-brand/30 bg-brand/8 px-3 py-1.5 text-xs">
            <p role="status" class="min-w-0 flex-1">{words}</p>
            <Button variant=ButtonVariant::Outline size=ButtonSize::Sm on:click=move |_| resumed.update(|resumed| *resumed = !*resumed)>
                {label}
            </Button>
        </div>
    }
}

/// Resolves a conflict: somebody else wrote the shown file while it was being edited.
#[component]
pub fn ConflictDialog(session: Session) -> impl IntoView {
    let open = session.resolving;
    let title =
        Signal::derive(move || format!("{} was changed meanwhile", path_of(session.shown())));
    let content = move || {
        let path = session.current.get_untracked().unwrap_or_default();
        let theirs: Option<FileView> = match session.file(&path).map(|file| file.saving) {
            Some(SaveState::Conflict(theirs)) => theirs.map(|theirs| *theirs),
            _ => return ().into_any(),
        };
        let comparison = StoredValue::new_local(None::<Comparison>);
        let is_gone = theirs.is_none();
        let hash = theirs.as_ref().map(|theirs| theirs.hash.clone());
        let own = session.text(&path).unwrap_or_default();
        let mine = fingerprint(&own);
        let begun = session.file(&path).and_then(|file| file.merge);
        // One that began from other texts lacks what was written since.
        let is_of_these = begun
            .as_ref()
            .is_some_and(|merge| (merge.mine, &merge.theirs) == (mine, &hash));
        let resumed = RwSignal::new(is_of_these);
        let offer = begun
            .is_some()
            .then(|| view! { <MergeOffer resumed is_of_these/> });
        let sides = {
            let path = path.clone();
            let before = theirs.and_then(|theirs| theirs.text).unwrap_or_default();
            Signal::derive(move || {
                let merge = resumed.get().then(|| session.file(&path)?.merge).flatten();
                let after = merge.map_or_else(|| own.clone(), |merge| merge.text);
                Sides {
                    path: path.clone(),
                    texts: [before.clone(), after],
                    names: ["What is there", "Your text"].map(str::to_owned),
                }
            })
        };
        let keep = {
            let path = path.clone();
            Callback::new(move |text: String| {
                let theirs = hash.clone();
                session.keep_merge(&path, Merge { text, mine, theirs });
            })
        };
        let unified = is_narrow();
        let finish = move |act: Callback<String>| {
            let path = path.clone();
            move |_: MouseEvent| {
                open.set(false);
                act.run(path.clone());
            }
        };
        let keep_mine = finish(Callback::new(move |path: String| {
            session.resolve(&path, None)
        }));
        let take_theirs = finish(Callback::new(move |path: String| {
            session.take_theirs(&path)
        }));
        let merged = finish(Callback::new(move |path: String| {
            let text = comparison.with_value(|made| made.as_ref().map(Comparison::text));
            session.resolve(&path, text);
        }));
        let theirs_label = if is_gone {
            "Let it be deleted"
        } else {
            "Take theirs"
        };
        view! {
            <div class="flex h-[min(70dvh,48rem)] flex-col gap-3">
                <div class="grid grid-cols-2 gap-2 text-xs text-muted-foreground max-lg:hidden">
                    <span>{if is_gone { "What is there: nothing, the file was deleted" } else { "What is there" }}</span>
                    <span>"Your text, which you can edit here"</span>
                </div>
                {offer}
                <Compared sides unified=Signal::stored(unified) merges=true comparison on_change=keep/>
                <div class="flex flex-wrap justify-end gap-2">
                    <Button variant=ButtonVariant::Outline on:click=take_theirs>{theirs_label}</Button>
                    <Button variant=ButtonVariant::Outline on:click=keep_mine>"Keep mine"</Button>
                    <Button on:click=merged>"Save the merged text"</Button>
                </div>
            </div>
        }
        .into_any()
    };
    view! {
        <Dialog
            open
            title
            size=DialogSize::Full
            description="A run, or another tab, wrote this file after you began to type. Nothing was overwritten: choose what stays."
        >
            {content()}
        </Dialog>
    }
}
