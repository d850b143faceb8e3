//! The showcase: finished apps by category, each with a preview on several devices and a button
//! that starts from it.

use leptos::prelude::*;

use crate::{
    api::projects::use_showcase,
    protocol::ShowcaseApp,
    ui::{
        components::{
            Button, ButtonSize, ButtonVariant, CARD, Choice, DialogSize, Icon, IconName,
            RadioGroup, Spinner, Toast, Toaster, modal,
        },
        erased::part,
        pane::{later, panes},
    },
};

const ALL: &str = "All";

/// The address of an app's picture on a device.
fn picture(slug: &str, device: &str) -> String {
    format!("/showcase/{slug}-{device}.jpg")
}

#[component]
pub fn Showcase(apps: Vec<ShowcaseApp>) -> impl IntoView {
    let mut categories = vec![ALL.to_owned()];
    for app in &apps {
        if !categories.contains(&app.category) {
            categories.push(app.category.clone());
        }
    }
    let category = RwSignal::new(ALL.to_owned());
    let open = RwSignal::new(false);
    let chosen = RwSignal::new(None::<ShowcaseApp>);
    let title = Signal::derive(move || {
        chosen.with(|app| {
            app.as_ref()
                .map(|app| app.title.clone())
                .unwrap_or_default()
        })
    });
    let filters = categories.into_iter().map(|name| {
        let (own, wanted) = (name.clone(), name.clone());
        view! {
            <button
                type="button"
                aria-pressed=move || (category.get() == own).to_string()
                class="h-7 cursor-pointer rounded-full border border-border px-3 text-xs font-medium text-muted-foreground transition-colors hover:text-foreground aria-pressed:border-foreground aria-pressed:bg-foreground aria-pressed:text-background focus-ring"
                on:click=move |_| category.set(wanted.clone())
            >
                {name}
            </button>
        }
    });
    let cards = apps.into_iter().map(|app| {
        let own = app.category.clone();
        let hidden = move || category.with(|category| *category != ALL && *category != own);
        let (name, description) = (app.title.clone(), app.description.clone());
        let path = app
            .shared
            .clone()
            .unwrap_or_else(|| picture(&app.slug, "laptop"));
        const NAME: &str = "cursor-pointer text-left text-sm font-medium outline-none after:absolute after:inset-0";
        let name = if app.shared.is_some() {
            view! { <a href=format!("/s/{}", app.slug) class=NAME>{name}</a> }.into_any()
        } else {
            let show = move |_| {
                chosen.set(Some(app.clone()));
                open.set(true);
            };
            view! { <button type="button" class=NAME on:click=show>{name}</button> }.into_any()
        };
        view! {
            <li hidden=hidden class=format!("group relative flex flex-col overflow-hidden transition-shadow hover:shadow-float has-[:focus-visible]:outline-2 has-[:focus-visible]:outline-ring {CARD}")>
                <img src=path alt="" width="960" height="600" loading="lazy" decoding="async" class="aspect-[16/10] w-full border-b border-border bg-muted object-cover object-top"/>
                <div class="px-3.5 py-3">
                    {name}
                    <p class="mt-0.5 text-xs leading-5 text-muted-foreground">{description}</p>
                </div>
            </li>
        }
    });
    view! {
        <section id="showcase" aria-label="Showcase" class="mt-20 scroll-mt-20">
            <div class="flex flex-wrap items-end gap-x-4 gap-y-3">
                <div class="mr-auto">
                    <h2 class="text-lg font-semibold tracking-tight">"Showcase"</h2>
                    <p class="mt-0.5 text-sm text-muted-foreground">"Apps to start from: open one, and change it by talking."</p>
                </div>
                <div role="group" aria-label="Categories" class="flex flex-wrap gap-1.5">{filters.collect_view()}</div>
            </div>
            <ul role="list" class="mt-4 grid gap-4 sm:grid-cols-2 lg:grid-cols-4">{cards.collect_view()}</ul>
            {modal(open, title, DialogSize::Full, move || match chosen.get_untracked() {
                Some(app) => later("the app", move || showcase_preview(app.clone(), open)),
                None => ().into_any(),
            })}
        </section>
    }
}

const DEVICES: [Choice; 3] = [
    Choice {
        value: "phone",
        label: "Phone",
        icon: Some(IconName::Smartphone),
        title: None,
    },
    Choice {
        value: "tablet",
        label: "Tablet",
        icon: Some(IconName::Tablet),
        title: None,
    },
    Choice {
        value: "laptop",
        label: "Laptop",
        icon: Some(IconName::Monitor),
        title: None,
    },
];

panes! {
    showcase:

    /// An app's preview dialog; its code is fetched when one is first opened.
    pub fn showcase_preview(app: ShowcaseApp, open: RwSignal<bool>) {
        preview(app, open)
    }
}

fn preview(app: ShowcaseApp, open: RwSignal<bool>) -> AnyView {
    let device = RwSignal::new("laptop");
    let toaster = Toaster::expect();
    let slug = app.slug.clone();
    let start = Action::new(move |(): &()| {
        let slug = slug.clone();
        async move {
            // Success opens the new project's page.
            let started = use_showcase(slug).await;
            if let Err(error) = &started {
                toaster.show(Toast::error(error.message.clone()));
                open.set(false);
            }
            started.is_ok()
        }
    });
    let busy = Memo::new(move |_| start.pending().get() || start.value().get() == Some(true));
    let (slug, alt) = (
        app.slug.clone(),
        format!("{} as its visitors see it", app.title),
    );
    view! {
        <div class="flex h-full flex-col">
            <div class="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-border px-4 py-3">
                <div class="mr-auto min-w-0">
                    <h2 class="truncate text-sm font-semibold">{app.title}</h2>
                    <p class="text-xs text-muted-foreground">{app.description}</p>
                </div>
                <RadioGroup name="showcase-device" label="Device" choices=&DEVICES selected=device/>
                <Button disabled=busy on:click=move |_| _ = start.dispatch(())>
                    {part(move || if busy.get() { view! { <Spinner/> }.into_any() } else { view! { <Icon name=IconName::Sparkles/> }.into_any() })}
                    "Use this"
                </Button>
                <Button
                    variant=ButtonVariant::Ghost
                    size=ButtonSize::Icon
                    attr:aria-label="Close"
                    on:click=move |_| open.set(false)
                >
                    <Icon name=IconName::X/>
                </Button>
            </div>
            <div class="dotted grid min-h-0 flex-1 place-items-center bg-muted/40 p-4" tabindex="0" role="group" aria-label="Preview">
                {part(move || {
                    let device = device.get();
                    let class = match device {
                        "phone" => "max-h-full w-auto max-w-full rounded-3xl border border-border shadow-float aspect-[390/844]",
                        "tablet" => "max-h-full w-auto max-w-full rounded-2xl border border-border shadow-float aspect-[820/1180]",
                        _ => "max-h-full w-auto max-w-full rounded-xl border border-border shadow-float aspect-[16/10]",
                    };
                    view! { <img src=picture(&slug, device) alt=alt.clone() class=class/> }.into_any()
                })}
            </div>
            <p class="border-t border-border px-4 py-2.5 text-xs text-muted-foreground">"Built from: “" {app.prompt} "”"</p>
        </div>
    }
    .into_any()
}
