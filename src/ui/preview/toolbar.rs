//! The bar above the preview: navigation, the address of the open page, and the device. Its code is
//! fetched after the page's.

use std::time::Duration;

use leptos::{ev, html, prelude::*};

use super::{
    console::Console,
    frame::{AppFrame, BACK, FORWARD},
    picker::{Picker, pick_button},
    place,
    stage::Stage,
    viewport::{Device, SIDES, Viewport},
};
use crate::{
    api::preview::attend_preview,
    protocol::ProjectId,
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Toast, Toaster},
        erased::{part, part_when, words},
        pane::panes,
    },
};

/// The interval at which the page reports to the server that somebody is looking.
const ATTENTION: Duration = Duration::from_secs(60);

const DEVICES: [(Device, IconName, &str); 5] = [
    (Device::Pane, IconName::Monitor, "Full width"),
    (Device::Phone, IconName::Smartphone, "Phone"),
    (Device::Tablet, IconName::Tablet, "Tablet"),
    (Device::Laptop, IconName::Laptop, "Laptop"),
    (Device::Custom, IconName::Ruler, "Custom"),
];

/// The note for a page without the host's script: another site's, or the app's own in a sandbox
/// that can't insert scripts.
const FOREIGN: &str = "The open page isn't one of the app's, or doesn't talk to CodeFlow, so Back, Forward, its console and picking an element \
                       don't work here. Type an address to return to the app.";
const WITHOUT_TOOLS: &str = "These sandboxes don't put CodeFlow's script into pages, so Back, Forward, the page's console and picking an element \
                             don't work here. Address, reload and sizes do.";

/// The bar, with what it controls.
#[derive(Clone, Copy)]
pub struct Bar {
    pub frame: AppFrame,
    pub stage: Stage,
    pub console: Console,
    pub picker: Picker,
    pub project: ProjectId,
    pub is_asleep: Memo<bool>,
    /// Called by the reload button.
    pub on_reload: Callback<()>,
}

panes! {
    workspace:

    /// The bar; its code is fetched after the page's.
    pub fn preview_bar(bar: Bar) {
        view_of(bar)
    }
}

fn view_of(bar: Bar) -> AnyView {
    let Bar {
        frame,
        stage,
        console,
        picker,
        project,
        is_asleep,
        on_reload,
    } = bar;
    stage.begin();
    console.begin(frame);
    picker.begin(frame);
    attend(project, is_asleep);
    let absent = Signal::derive(move || frame.address().is_none());
    let no_way_back = Signal::derive(move || !frame.history.get().0);
    let no_way_on = Signal::derive(move || !frame.history.get().1);
    let open = move || {
        if let Some(address) = untrack(move || frame.address()) {
            let window = leptos::prelude::window();
            let _ = window.open_with_url_and_target_and_features(&address, "_blank", "noopener");
        }
    };
    view! {
        <div class="preview-bar">
            {icon_button("Back", "Back", IconName::ArrowLeft, no_way_back, move || frame.post(BACK))}
            {icon_button("Forward", "Forward", IconName::ArrowRight, no_way_on, move || frame.post(FORWARD))}
            {icon_button("Reload", "Reload the preview", IconName::RotateCw, absent, move || on_reload.run(()))}
            {address_field(frame)}
            {icon_button("Open in a new tab", "Open in a new tab", IconName::ExternalLink, absent, open)}
            {pick_button(picker, frame)}
            {console_button(console)}
            {devices(stage)}
        </div>
        {part_when(move || stage.viewport.get().size().is_some(), move || size_row(stage))}
        {part_when(
            move || frame.has_tools.get() == Some(false) && !absent.get(),
            move || {
                let why = if frame.speaks() { WITHOUT_TOOLS } else { FOREIGN };
                view! { <p role="note" class="preview-note">{why}</p> }.into_any()
            },
        )}
    }
    .into_any()
}

/// Tells the server now and then that somebody looks, while the page is visible.
fn attend(project: ProjectId, is_asleep: Memo<bool>) {
    let say = move || {
        if !document().hidden() && is_asleep.try_get_untracked() == Some(false) {
            leptos::task::spawn_local(async move {
                // The next one makes up for a lost one.
                let _ = attend_preview(project).await;
            });
        }
    };
    if let Ok(interval) = set_interval_with_handle(say, ATTENTION) {
        on_cleanup(move || interval.clear());
    }
}

fn icon_button(
    label: &'static str,
    hint: &'static str,
    icon: IconName,
    disabled: Signal<bool>,
    press: impl Fn() + 'static,
) -> AnyView {
    view! {
        <Button
            variant=ButtonVariant::Ghost
            size=ButtonSize::Icon
            disabled
            attr:aria-label=label
            attr:data-tooltip=hint
            on:click=move |_| press()
        >
            <Icon name=icon/>
        </Button>
    }
    .into_any()
}

/// Opens and closes the console; a dot signals errors in it.
fn console_button(console: Console) -> AnyView {
    let has_errors = Memo::new(move |_| console.has_errors());
    view! {
        <span class="relative">
            <Button
                variant=ButtonVariant::Ghost
                size=ButtonSize::Icon
                attr:aria-label="Console"
                attr:data-tooltip="Console"
                attr:aria-pressed=move || console.is_open.get().to_string()
                on:click=move |_| console.toggle()
            >
                <Icon name=IconName::Terminal/>
            </Button>
            {part_when(move || has_errors.get(), || view! { <span class="console-dot"><span class="sr-only">"It has errors."</span></span> }.into_any())}
        </span>
    }
    .into_any()
}

/// The path of the open page, which can be edited. The input stays until it is submitted or left.
fn address_field(frame: AppFrame) -> AnyView {
    let field = NodeRef::<html::Input>::new();
    let typed = RwSignal::new(None::<String>);
    let refusal = RwSignal::new(None::<&'static str>);
    let shown = move || {
        let place = frame.address().map(|_| frame.place.get());
        typed.get().or(place).unwrap_or_default()
    };
    let leave = move || {
        typed.set(None);
        refusal.set(None);
    };
    let go = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let Some(url) = untrack(move || frame.address()) else {
            return;
        };
        let text = untrack(shown);
        match place::typed(&text, &url) {
            Ok(place) => {
                frame.go(&place);
                leave();
            }
            Err(why) => refusal.set(Some(why)),
        }
    };
    let on_key = move |key: ev::KeyboardEvent| {
        if key.key() == "Escape" {
            leave();
        }
    };
    let on_focus = move |_| {
        if let Some(field) = field.get_untracked() {
            field.select();
        }
    };
    let toaster = Toaster::expect();
    let copy = move |_| {
        let address = untrack(move || frame.address());
        let is_copied = address.is_some_and(|address| browser::copy(&address));
        toaster.show(match is_copied {
            true => Toast::new("The address is copied."),
            false => Toast::error("The browser didn't let the address be copied."),
        });
    };
    let absent = Signal::derive(move || frame.address().is_none());
    view! {
        <form class="preview-address" on:submit=go>
            <input
                node_ref=field
                type="text"
                aria-label="Address"
                aria-invalid=move || refusal.get().is_some().to_string()
                aria-describedby="preview-address-note"
                placeholder="No preview yet"
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                enterkeyhint="go"
                disabled=absent
                prop:value=shown
                on:input=move |event| typed.set(Some(event_target_value(&event)))
                on:keydown=on_key
                on:focus=on_focus
                on:blur=move |_| leave()
            />
            <button
                type="button"
                aria-label="Copy address"
                data-tooltip="Copy address"
                disabled=absent
                class="focus-ring"
                on:click=copy
            >
                <Icon name=IconName::Copy class="size-3.5"/>
            </button>
            <p id="preview-address-note" role="alert">{words(move || refusal.get().unwrap_or_default().to_owned())}</p>
        </form>
    }
    .into_any()
}

fn devices(stage: Stage) -> AnyView {
    let buttons = DEVICES.map(|(device, icon, label)| {
        let is_chosen = move || (stage.viewport.get().device == device).to_string();
        view! {
            <Button
                variant=ButtonVariant::Ghost
                size=ButtonSize::Icon
                attr:aria-label=label
                attr:data-tooltip=label
                attr:aria-pressed=is_chosen
                on:click=move |_| stage.choose(stage.viewport.get_untracked().choose(device))
            >
                <Icon name=icon/>
            </Button>
        }
        .into_any()
    });
    view! { <div role="group" aria-label="Device" class="preview-devices">{buttons}</div> }
        .into_any()
}

/// The device's size, and how far the frame is scaled down.
fn size_row(stage: Stage) -> AnyView {
    let refusal = RwSignal::new(false);
    let width = move |viewport: Viewport| viewport.width;
    let height = move |viewport: Viewport| viewport.height;
    let rotate = move |_| stage.choose(stage.viewport.get_untracked().rotate());
    view! {
        <div class="preview-size">
            {side(stage, "Width", width, |side, viewport| Viewport::custom(side, viewport.height), refusal)}
            <span aria-hidden="true">"×"</span>
            {side(stage, "Height", height, |side, viewport| Viewport::custom(viewport.width, side), refusal)}
            <Button
                variant=ButtonVariant::Ghost
                size=ButtonSize::Sm
                attr:aria-label="Rotate"
                attr:data-tooltip="Rotate"
                on:click=rotate
            >
                <Icon name=IconName::SmartphoneTurn/>
            </Button>
            <span class="tabular-nums" data-scale=move || stage.scale()>
                <span class="sr-only">"Shown at "</span>
                {words(move || format!("{} %", (stage.scale() + 5) / 10))}
            </span>
            {part(move || {
                let text = format!("Type a number from {} to {}.", SIDES.start(), SIDES.end());
                refusal.get().then(|| view! { <span role="alert" class="text-destructive">{text}</span> }).into_any()
            })}
        </div>
    }
    .into_any()
}

/// The field of one side. A number in range applies as it is typed; any other waits for the next
/// key.
fn side(
    stage: Stage,
    label: &'static str,
    of: impl Fn(Viewport) -> u32 + Copy + Send + Sync + 'static,
    with: fn(u32, Viewport) -> Viewport,
    refusal: RwSignal<bool>,
) -> AnyView {
    let on_input = move |event| {
        let side = event_target_value(&event).parse::<u32>().ok();
        let side = side.filter(|side| SIDES.contains(side));
        refusal.set(side.is_none());
        if let Some(side) = side {
            stage
                .viewport
                .update(|viewport| *viewport = with(side, *viewport));
        }
    };
    let field = NodeRef::<html::Input>::new();
    // A number out of range is replaced by the current one.
    let settle = move |_| {
        if let Some(field) = field.get_untracked() {
            field.set_value(&of(stage.viewport.get_untracked()).to_string());
        }
        refusal.set(false);
        stage.keep();
    };
    view! {
        <input
            node_ref=field
            type="number"
            inputmode="numeric"
            aria-label=label
            min=*SIDES.start()
            max=*SIDES.end()
            prop:value=move || of(stage.viewport.get()).to_string()
            on:input=on_input
            on:blur=settle
        />
    }
    .into_any()
}
