//! The image that accompanies a prompt: picked, pasted or dropped anywhere on the page, uploaded at
//! once, and shown as a thumbnail until it is sent.

use gloo_net::http::Request;
use leptos::{
    ev, html,
    prelude::*,
    web_sys::{DataTransfer, File},
};

use super::state::{Attached, PromptField, STILL_UPLOADING};
use crate::{
    protocol::{ApiError, IMAGE_MAX_BYTES, IMAGE_TYPES, Image, ImageError},
    ui::{
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName, Spinner},
        erased::part,
        pane::{later, panes},
    },
};

/// The button that attaches an image, or the attached image. Belongs into a form that is
/// `relative`.
#[component]
pub fn ImageSlot(field: PromptField) -> impl IntoView {
    view! { <div aria-live="polite" class="flex min-h-8 min-w-8 shrink-0 items-center">{later("attaching images", move || image_slot(field))}</div> }
}

panes! {
    image:

    /// The button or the image; its code is fetched after the page's.
    pub fn image_slot(field: PromptField) {
        slot(field)
    }
}

fn slot(field: PromptField) -> AnyView {
    let chosen = StoredValue::new(0_u32);
    let dragging = RwSignal::new(false);
    let take = move |file: File| {
        if let Some(refusal) = refusal(&file) {
            field.complain(refusal.to_string());
            return;
        }
        let number = chosen.get_value() + 1;
        chosen.set_value(number);
        let name = file.name();
        field.complaint.set(None);
        // The previous image comes back if this one is refused.
        let before = field
            .image
            .get_untracked()
            .filter(|attached| !attached.is_uploading());
        field.image.set(Some(Attached {
            name,
            number,
            image: None,
        }));
        field.focus();
        leptos::task::spawn_local(async move {
            let uploaded = upload(&file).await;
            if field
                .image
                .try_get_untracked()
                .flatten()
                .is_none_or(|attached| attached.number != number)
            {
                return;
            }
            match uploaded {
                Ok(image) => {
                    field.image.update(|attached| {
                        if let Some(attached) = attached {
                            attached.image = Some(image);
                        }
                    });
                    if field.complaint.with_untracked(|complaint| {
                        complaint
                            .as_ref()
                            .is_some_and(|complaint| complaint.text == STILL_UPLOADING)
                    }) {
                        field.complaint.set(None);
                    }
                }
                Err(complaint) => {
                    field.image.set(before);
                    field.complain(complaint);
                }
            }
        });
    };

    let paste = window_event_listener(ev::paste, move |event| {
        // Office programs copy text as an image, too; then the text is intended.
        let data = event.clipboard_data().filter(|data| {
            data.get_data("text/plain")
                .is_ok_and(|text| text.is_empty())
        });
        if let Some(file) = data.as_ref().and_then(first_file) {
            event.prevent_default();
            take(file);
        }
    });
    // A drop that another part of the page handles, such as the file tree, is not an attached
    // image.
    let over = window_event_listener(ev::dragover, move |event| {
        if event.default_prevented() {
            dragging.set(false);
        } else if event
            .data_transfer()
            .is_some_and(|data| data.types().includes(&"Files".into(), 0))
        {
            event.prevent_default();
            dragging.set(true);
        }
    });
    let leave = window_event_listener(ev::dragleave, move |event| {
        if event.related_target().is_none() {
            dragging.set(false);
        }
    });
    let drop = window_event_listener(ev::drop, move |event| {
        dragging.set(false);
        if event.default_prevented() {
            return;
        }
        if let Some(file) = event.data_transfer().as_ref().and_then(first_file) {
            event.prevent_default();
            take(file);
        }
    });
    on_cleanup(move || {
        paste.remove();
        over.remove();
        leave.remove();
        drop.remove();
    });

    let input = NodeRef::<html::Input>::new();
    let picked = move |_| {
        if let Some(input) = input.get_untracked() {
            let file = input.files().and_then(|files| files.get(0));
            // So that the same file can be picked again.
            input.set_value("");
            if let Some(file) = file {
                take(file);
            }
        }
    };
    let pick = move |_| {
        if let Some(input) = input.get_untracked() {
            input.click();
        }
    };
    let remove = move |_| {
        field.image.set(None);
        field.focus();
    };
    view! {
        <input node_ref=input type="file" accept=IMAGE_TYPES.join(",") tabindex="-1" aria-hidden="true" class="hidden" on:change=picked/>
        {part(move || match field.image.get() {
            None => view! {
                <Button variant=ButtonVariant::Ghost size=ButtonSize::Icon attr:aria-label="Attach an image" attr:title="Attach an image" on:click=pick>
                    <Icon name=IconName::ImagePlus/>
                </Button>
            }
            .into_any(),
            Some(attached) => chip(attached, remove),
        })}
        {part(move || {
            if !dragging.get() {
                return ().into_any();
            }
            view! {
                <p data-drop-hint class="pointer-events-none absolute inset-0 z-10 grid place-items-center rounded-xl border-2 border-dashed border-ring bg-card/95 text-sm font-medium">
                    "Drop the image to attach it"
                </p>
            }
            .into_any()
        })}
    }
    .into_any()
}

fn chip(attached: Attached, remove: impl Fn(ev::MouseEvent) + 'static) -> AnyView {
    let picture = match attached.image {
        Some(image) => view! { <img src=image.path() alt="The attached image" class="size-9 rounded-md bg-muted object-cover"/> }.into_any(),
        None => view! { <span class="grid size-9 place-items-center rounded-md bg-muted"><Spinner/><span class="sr-only">"Uploading"</span></span> }.into_any(),
    };
    view! {
        <span class="inline-flex items-center gap-2 rounded-lg border border-border bg-background p-0.5 text-xs text-muted-foreground">
            {picture}
            <span class="max-w-36 truncate max-sm:sr-only">{attached.name}</span>
            <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm attr:aria-label="Remove image" attr:title="Remove image" on:click=remove>
                <Icon name=IconName::X class="size-3.5"/>
            </Button>
        </span>
    }
    .into_any()
}

fn first_file(data: &DataTransfer) -> Option<File> {
    data.files()?.get(0)
}

/// Why the file can't be attached, as far as the browser can tell; the server checks its content.
fn refusal(file: &File) -> Option<ImageError> {
    if !IMAGE_TYPES.contains(&file.type_().as_str()) {
        return Some(ImageError::WrongType);
    }
    (file.size() > IMAGE_MAX_BYTES as f64).then_some(ImageError::TooLarge)
}

/// Uploads the file; an error is the server's own sentence where it has one.
async fn upload(file: &File) -> Result<Image, String> {
    let failed = || "The image couldn't be uploaded. Try again.".to_owned();
    let request = Request::post("/api/images").body(file);
    let response = request.map_err(|_| failed())?.send().await;
    let response = response.map_err(|_| failed())?;
    if response.ok() {
        return response.json().await.map_err(|_| failed());
    }
    let refused = response.json::<ApiError>().await;
    Err(refused.map_or_else(|_| failed(), |error| error.message))
}
