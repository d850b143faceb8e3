//! The dialog "Share": whether anyone with the link may open the app, which version they see, and
//! what else they may do; and the project's members. Every change is saved at once.

use leptos::{prelude::*, task::spawn_local};

use super::{
    browser,
    components::{Alert, Button, ButtonSize, ButtonVariant, Dialog, INPUT, SELECT, Skeleton},
    erased::{part, part_when, words},
    pane::{pane, panes},
    people::PeopleSection,
    visitor,
};
use crate::{
    api::shares::{end_share, get_share, save_share},
    protocol::{FragmentId, ProjectId, ShareState},
};

/// The id of the button.
pub const SHARE_ID: &str = "share-project";

/// The button in the workspace's bar, and its dialog.
#[component]
pub fn ShareButton(project: ProjectId) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <Button variant=ButtonVariant::Outline size=ButtonSize::Sm attr:id=SHARE_ID attr:aria-haspopup="dialog" on:click=move |_| open.set(true)>
            "Share"
        </Button>
        <Dialog open title="Share" description="Show the running app to others, or work on it together.">
            {pane("the settings", move || share_settings(project))}
        </Dialog>
    }
}

panes! {
    sharing:

    /// The dialog's contents; their code is fetched when it is first opened.
    pub fn share_settings(project: ProjectId) {
        let state = LocalResource::new(move || get_share(project));
        let people = visitor::expect().accounts.then(|| view! { <PeopleSection project/> });
        let settings = part(move || match state.get() {
            None => view! {
                <div aria-busy="true" class="flex flex-col gap-3">
                    <span class="sr-only">"Loading"</span>
                    <Skeleton class="h-6 w-2/3"/>
                    <Skeleton class="h-9 w-full"/>
                </div>
            }
            .into_any(),
            Some(Err(error)) => view! { <Alert>{error.message}</Alert> }.into_any(),
            Some(Ok(state)) => match state.version {
                Some(version) => view! { <Settings project state version/> }.into_any(),
                None => view! {
                    <p class="text-sm leading-6 text-muted-foreground">
                        "There is nothing to share yet. Come back once the first version is saved."
                    </p>
                }
                .into_any(),
            },
        });
        view! { {settings} {people} }.into_any()
    }
}

/// The dialog's saved settings.
#[derive(Clone, Copy)]
struct Choices {
    project: ProjectId,
    version: FragmentId,
    is_on: RwSignal<bool>,
    is_pinned: RwSignal<bool>,
    has_source: RwSignal<bool>,
    category: RwSignal<String>,
    slug: RwSignal<Option<String>>,
    trouble: RwSignal<Option<String>>,
    is_saving: StoredValue<bool>,
    /// Whether something was changed while it was being saved.
    is_changed: StoredValue<bool>,
}

impl Choices {
    fn save(self) {
        if self.is_saving.get_value() {
            self.is_changed.set_value(true);
            return;
        }
        self.is_saving.set_value(true);
        self.trouble.set(None);
        spawn_local(async move {
            loop {
                let saved = self.send().await;
                if self.is_saving.try_get_value().is_none() {
                    return;
                }
                if self.is_changed.get_value() {
                    self.is_changed.set_value(false);
                    continue;
                }
                match saved {
                    Ok(slug) => self.slug.set(slug),
                    Err(error) => {
                        self.is_on.set(self.slug.with_untracked(Option::is_some));
                        self.trouble.set(Some(error.message));
                    }
                }
                self.is_saving.set_value(false);
                return;
            }
        });
    }

    async fn send(self) -> Result<Option<String>, crate::protocol::ApiError> {
        if !self.is_on.get_untracked() {
            return end_share(self.project).await.map(|()| None);
        }
        let version = self.is_pinned.get_untracked().then_some(self.version);
        let category = Some(self.category.get_untracked());
        let source = self.has_source.get_untracked();
        let share = save_share(self.project, version, source, category).await?;
        Ok(Some(share.slug))
    }
}

#[component]
fn Settings(project: ProjectId, state: ShareState, version: (FragmentId, i32)) -> impl IntoView {
    let share = state.share.as_ref();
    let choices = Choices {
        project,
        version: version.0,
        is_on: RwSignal::new(share.is_some()),
        is_pinned: RwSignal::new(share.is_some_and(|share| share.version.is_some())),
        has_source: RwSignal::new(share.is_some_and(|share| share.source)),
        category: RwSignal::new(
            share
                .and_then(|share| share.category.clone())
                .unwrap_or_default(),
        ),
        slug: RwSignal::new(share.map(|share| share.slug.clone())),
        trouble: RwSignal::new(None),
        is_saving: StoredValue::new(false),
        is_changed: StoredValue::new(false),
    };
    let (is_on, trouble) = (choices.is_on, choices.trouble);
    let toggle = move |_| {
        is_on.update(|on| *on = !*on);
        choices.save();
    };
    let categories = StoredValue::new(state.categories);
    view! {
        <div class="flex flex-col gap-5">
            <div class="flex items-center gap-4">
                <div class="min-w-0 flex-1">
                    <p id="share-switch" class="text-sm font-medium">"Anyone with the link"</p>
                    <p class="mt-0.5 text-xs leading-5 text-muted-foreground">
                        {words(move || match is_on.get() {
                            true => "can open the app. Turn it off, and this link ends for ever.".to_owned(),
                            false => "Off: only you can open the app.".to_owned(),
                        })}
                    </p>
                </div>
                <button
                    type="button"
                    role="switch"
                    aria-checked=move || is_on.get().to_string()
                    aria-labelledby="share-switch"
                    class="group h-6 w-10 shrink-0 cursor-pointer rounded-full border border-border bg-muted p-0.5 transition-colors aria-checked:bg-primary focus-ring"
                    on:click=toggle
                >
                    <span aria-hidden="true" class="block size-4.5 rounded-full bg-foreground transition-transform group-aria-checked:translate-x-4 group-aria-checked:bg-primary-foreground"></span>
                </button>
            </div>
            {part(move || trouble.get().map(|text| view! { <Alert>{text}</Alert> }).into_any())}
            {part_when(move || choices.slug.with(Option::is_some), move || view! {
                <Link choices/>
                <Which choices number=version.1/>
                <label class="flex items-center gap-2.5 text-sm">
                    <input
                        type="checkbox"
                        class="size-4 accent-primary"
                        prop:checked=move || choices.has_source.get()
                        on:change=move |event| {
                            choices.has_source.set(event_target_checked(&event));
                            choices.save();
                        }
                    />
                    "Visitors may read the source"
                </label>
                <div class="flex flex-col gap-1.5">
                    <label for="share-category" class="text-sm font-medium">"Showcase"</label>
                    <select
                        id="share-category"
                        class=SELECT
                        on:change=move |event| {
                            choices.category.set(event_target_value(&event));
                            choices.save();
                        }
                    >
                        <option value="" selected=choices.category.with_untracked(String::is_empty)>"Not listed"</option>
                        {categories
                            .get_value()
                            .into_iter()
                            .map(|name| {
                                let selected = choices.category.with_untracked(|chosen| *chosen == name);
                                view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
                            })
                            .collect_view()}
                    </select>
                </div>
            }
            .into_any())}
        </div>
    }
}

#[component]
fn Link(choices: Choices) -> impl IntoView {
    let origin = location().origin().unwrap_or_default();
    let link = Memo::new(move |_| {
        let slug = choices.slug.get().unwrap_or_default();
        format!("{origin}/s/{slug}")
    });
    let is_copied = RwSignal::new(false);
    view! {
        <div class="flex items-end gap-2">
            <div class="flex min-w-0 flex-1 flex-col gap-1.5">
                <label for="share-link" class="text-sm font-medium">"Link"</label>
                <input id="share-link" type="text" readonly=true class=INPUT prop:value=move || link.get()/>
            </div>
            <Button variant=ButtonVariant::Outline on:click=move |_| is_copied.set(browser::copy(&link.get_untracked()))>
                {words(move || if is_copied.get() { "Copied" } else { "Copy" }.to_owned())}
            </Button>
        </div>
    }
}

#[component]
fn Which(choices: Choices, number: i32) -> impl IntoView {
    let choice = move |pinned: bool, label: String| {
        view! {
            <label class="flex items-center gap-2.5 text-sm">
                <input
                    type="radio"
                    name="share-version"
                    class="size-4 accent-primary"
                    prop:checked=move || choices.is_pinned.get() == pinned
                    on:change=move |_| {
                        choices.is_pinned.set(pinned);
                        choices.save();
                    }
                />
                {label}
            </label>
        }
    };
    view! {
        <fieldset class="flex flex-col gap-2">
            <legend class="mb-1.5 text-sm font-medium">"What visitors see"</legend>
            {choice(false, "Always the newest version".to_owned())}
            {choice(true, format!("This version (v{number})"))}
        </fieldset>
    }
}
