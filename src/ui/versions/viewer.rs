//! A read-only file: highlighted on the server, with line numbers from the style sheet, so that
//! copying takes only the text.

use std::time::Duration;

use leptos::{html, prelude::*};

use crate::{
    protocol::{ApiError, FileView},
    ui::{
        browser,
        components::{Button, ButtonSize, ButtonVariant, Icon, IconName},
    },
};

/// How long the copy button confirms.
const COPIED: Duration = Duration::from_secs(2);

#[component]
pub fn FileViewer(
    path: Memo<Option<String>>,
    view: LocalResource<Option<Result<FileView, ApiError>>>,
) -> impl IntoView {
    let code = NodeRef::<html::Code>::new();
    let copied = RwSignal::new(false);
    let copy = move |_| {
        let text = code.get_untracked().and_then(|code| code.text_content());
        if text.is_some_and(|text| browser::copy(&text)) {
            copied.set(true);
            set_timeout(
                move || {
                    copied.try_set(false);
                },
                COPIED,
            );
        }
    };
    // The previous file stays while another is fetched, to avoid flicker.
    let body = move || {
        match view.get().flatten() {
        None if path.get().is_none() => {
            view! { <p class="m-auto p-6 text-sm text-muted-foreground">"Choose a file to read it."</p> }.into_any()
        }
        None => ().into_any(),
        Some(Err(error)) => view! { <p role="alert" class="m-auto p-6 text-sm text-muted-foreground">{error.message}</p> }.into_any(),
        Some(Ok(FileView { notice: Some(notice), .. })) => {
            view! { <p class="m-auto p-6 text-sm text-muted-foreground">{notice}</p> }.into_any()
        }
        Some(Ok(file)) => {
            let lines: String = file
                .lines
                .iter()
                .map(|line| format!("<span class=\"line\">{line}\n</span>"))
                .collect();
            view! {
                <pre class="code" tabindex="0" aria-label=format!("The text of {}", file.path)>
                    <code node_ref=code inner_html=lines></code>
                </pre>
            }
            .into_any()
        }
    }
    };
    let about = move || match view.get().flatten() {
        Some(Ok(file)) => format!("{} · {}", file.language, file_size(file.size)),
        _ => String::new(),
    };
    let has_text = move || {
        matches!(
            view.get().flatten(),
            Some(Ok(FileView { notice: None, .. }))
        )
    };
    view! {
        <section aria-label="File" class="flex min-h-0 min-w-0 flex-1 flex-col">
            <div class="flex h-10 shrink-0 items-center gap-3 border-b border-border pr-2 pl-4">
                <p class="min-w-0 flex-1 truncate font-mono text-xs">{move || path.get()}</p>
                <p class="shrink-0 text-xs text-muted-foreground max-lg:hidden">{about}</p>
                <Show when=has_text>
                    <Button variant=ButtonVariant::Ghost size=ButtonSize::Sm on:click=copy>
                        {move || {
                            let (name, words) = if copied.get() { (IconName::Check, "Copied") } else { (IconName::Copy, "Copy") };
                            view! { <Icon name class="size-3.5"/> {words} }
                        }}
                    </Button>
                </Show>
            </div>
            <div class="flex min-h-0 flex-1 overflow-auto bg-card">{body}</div>
        </section>
    }
}

/// A size in bytes, such as "1.4 kB".
fn file_size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ => format!("{:.1} kB", bytes as f64 / 1024.0),
    }
}
