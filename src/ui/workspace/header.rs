//! The workspace's bar: the link home, the project's title and version, the model; on phones, the
//! choice between chat and app.

use leptos::{prelude::*, web_sys::HtmlElement};

use super::title::TitleField;
use crate::{
    protocol::{ModelNotice, ProjectId},
    ui::{
        commands::{CommandsButton, HelpButton},
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, button_class},
        conversation::Conversation,
        credits::CreditsBadge,
        home::HomeLink,
        model::{DemoNoticeState, ModelBadge},
        share::ShareButton,
        team::{self, AlsoHere},
        theme::ThemeToggle,
        versions::{PANEL_ID, VERSIONS_ID},
        visitor::AccountMenu,
    },
};

/// The id of the link to the ZIP file.
pub const ZIP_ID: &str = "download-zip";

/// The part of the workspace shown on phones, which have no room for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhonePart {
    Chat,
    App,
}

#[component]
pub fn WorkspaceHeader(
    project: ProjectId,
    conversation: RwSignal<Conversation>,
    title: Memo<String>,
    model: ModelNotice,
    notice: DemoNoticeState,
    part: RwSignal<PhonePart>,
    versions_open: RwSignal<bool>,
) -> impl IntoView {
    let version =
        Memo::new(move |_| conversation.with(|all| all.version().map(|version| version.number)));
    view! {
        <header class="relative z-30 flex min-h-12 shrink-0 items-center gap-x-2.5 gap-y-1 border-b border-border px-3 max-md:flex-wrap max-md:py-1.5 md:px-4">
            <HomeLink/>
            <span aria-hidden="true" class="hidden text-border sm:inline">"/"</span>
            <TitleField project title/>
            <div class="flex items-center gap-1.5 max-md:order-last max-md:basis-full max-md:flex-wrap">
                <div role="group" aria-label="Show" class="mr-auto inline-flex items-center gap-0.5 rounded-lg bg-muted p-0.5 md:hidden">
                    {[(PhonePart::Chat, "Chat"), (PhonePart::App, "App")]
                        .map(|(choice, label)| {
                            view! {
                                <button
                                    type="button"
                                    aria-pressed=move || (part.get() == choice).to_string()
                                    class="h-7 cursor-pointer rounded-md px-3 text-xs font-medium text-muted-foreground aria-pressed:bg-card aria-pressed:text-foreground aria-pressed:shadow-xs focus-ring"
                                    on:click=move |_| part.set(choice)
                                >
                                    {label}
                                </button>
                            }
                        })}
                </div>
                <Button
                    variant=ButtonVariant::Ghost
                    size=ButtonSize::Sm
                    attr:id=VERSIONS_ID
                    attr:aria-label="Versions"
                    attr:aria-expanded=move || versions_open.get().to_string()
                    attr:aria-controls=PANEL_ID
                    attr:title="Versions"
                    on:click=move |_| versions_open.update(|open| *open = !*open)
                >
                    <Icon name=IconName::Clock class="size-3.5"/>
                    {move || version.get().filter(|number| *number > 0).map(|number| format!("v{number}"))}
                </Button>
                <a
                    role="button"
                    id=ZIP_ID
                    href=format!("/projects/{project}/download.zip")
                    download=""
                    rel="external"
                    aria-label="Download ZIP"
                    title="Download ZIP"
                    class=button_class(ButtonVariant::Ghost, ButtonSize::Sm)
                    // Links are activated by Enter only.
                    on:keydown=move |key| {
                        if key.key() == " " {
                            key.prevent_default();
                            event_target::<HtmlElement>(&key).click();
                        }
                    }
                >
                    <Icon name=IconName::ArrowDown class="size-3.5"/>
                    "ZIP"
                </a>
                <AlsoHere/>
                {team::is_owner().then(|| view! { <ShareButton project/> })}
                // The project's account-related parts, where there are accounts.
                <CreditsBadge/>
                <ModelBadge model notice/>
            </div>
            <CommandsButton/>
            <HelpButton/>
            <ThemeToggle/>
            <AccountMenu/>
        </header>
    }
}
